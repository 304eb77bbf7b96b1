"""`monitor`, `status --watch`, `positions`, `orders`, `export positions` after a cycle: plain in a pipe, 80 columns on
a terminal, live until Ctrl-C."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.report.columns import cells_wide
from tests.cli.conftest import Command
from tests.cli.terminal import at_a_terminal


@pytest.fixture
def traded(command: Command, project: Path) -> Path:
    done = command("run-now")
    assert done.code in (0, 4)
    first = done.out.splitlines()[0]
    assert first == "bundled sample signals; leverage: capital 2 x equity, at most 1.6 x invested"
    return project


def test_before_the_first_cycle_there_is_nothing_to_show(command: Command) -> None:
    out = command("monitor").out.splitlines()
    assert out[1:] == [
        "cycles   none ended",
        "signals  none received",
        "executed – of the signals received (execution rate)",
        "newest   no cycle has run yet",
    ]
    assert json.loads(command("monitor", "5", "--json").out)["execution_rate"] is None
    orders = json.loads(command("orders", "--json").out)["orders"]  # the embedded account opens with a few holdings
    assert {order["client_order_id"][:3] for order in orders}.isdisjoint({"rb-"})


def test_the_monitor_counts_every_signal_once_and_says_why(traded: Path, command: Command) -> None:
    found = json.loads(command("monitor", "--json").out)
    verdicts = json.loads(command("explain", "AAPL", "--json").out)["verdicts"]
    assert found["schema"] == "rebalancer.monitor/1"
    assert sum(row["signals"] for row in found["outcomes"]) == found["received"] > 20
    filled = {row["outcome"]: row for row in found["outcomes"]}["FILLED"]
    assert found["executed"] == filled["signals"] > 0
    assert found["execution_rate"] == found["executed"] / found["received"]
    assert len(verdicts) == 1
    assert any("AAPL" in row["symbols"] and row["outcome"] == verdicts[0]["outcome"] for row in found["outcomes"])
    assert all(row["because"] for row in found["outcomes"])
    assert sum(found["cycles"].values()) == 1
    assert command("run-now").code in (0, 4)
    again = json.loads(command("monitor", "--json").out)
    assert sum(again["cycles"].values()) == 2
    assert again["executed"] >= found["executed"]
    assert command("run-now", "--dry-run").code == 0
    assert json.loads(command("monitor", "--json").out)["cycles"] == again["cycles"]
    text = command("monitor").out
    assert "\x1b" not in text
    assert f"signals  {again['received']} received: {again['executed']} executed, " in text


def test_live_screens_fit_the_terminal_and_end_with_ctrl_c(traded: Path, command: Command) -> None:
    for words in (("monitor", "120"), ("status", "--watch")):
        piped = command(*words).out
        seen = at_a_terminal(traded, "", *words, frames=2)
        assert seen.code == 0
        frames = seen.frames()
        assert len(frames) >= 2
        for lines in [*frames, seen.left()]:
            assert max(map(cells_wide, lines)) <= 80
        assert seen.left()[0].split()[:2] == piped.split()[:2]
        small = at_a_terminal(traded, "", *words, frames=1, lines=6)
        assert [line for line in small.frames()[0] if line][-1].endswith("more lines; Ctrl-C ends")
        assert len([line for line in small.frames()[0] if line]) == 5
    refused = command("status", "--watch", "--json")
    assert (refused.code, refused.err) == (2, "error: --watch goes with neither --live nor --json\n")


def test_positions_are_the_brokers_with_value_and_profit(traded: Path, command: Command) -> None:
    found = json.loads(command("positions", "--json").out)
    assert found["schema"] == "rebalancer.positions/1"
    rows = found["positions"]
    assert [row["symbol"] for row in rows] == sorted(row["symbol"] for row in rows)
    for row in rows:
        qty, price, entry = (Decimal(row[key]) for key in ("qty", "price", "avg_entry_price"))
        assert Decimal(row["value"]) == qty * price
        assert Decimal(row["profit"]) == qty * (price - entry)
        assert row["weight"] == pytest.approx(float(qty * price / Decimal(found["equity"])))
        assert row["profit_fraction"] == pytest.approx(float((price - entry) / entry))
    exported = list(csv.DictReader(io.StringIO(command("export", "positions").out)))
    assert [row["symbol"] for row in exported] == [row["symbol"] for row in rows]
    assert [Decimal(row["qty"]) for row in exported] == [Decimal(row["qty"]) for row in rows]
    refused = command("export", "positions", "--since", "2026-11-20")
    assert (refused.code, refused.err.splitlines()[0]) == (78, "error: export: --since: positions are those of now")
    target = traded / "held.json"
    assert command("export", "positions", "--format", "json", "--to", str(target)).code == 0
    assert len(json.loads(target.read_text())["rows"]) == len(rows)


def test_orders_are_the_brokers_newest_first(traded: Path, command: Command) -> None:
    found = json.loads(command("orders", "--json", "--limit", "1000").out)
    assert found["schema"] == "rebalancer.orders/1"
    times = [order["submitted_at"] for order in found["orders"]]
    assert times == sorted(times, reverse=True)
    assert len(times) > 5
    assert json.loads(command("orders", "--status", "open", "--json").out)["orders"] == []
    assert len(command("orders", "--limit", "3").out.splitlines()) == 4
    wrong = command("orders", "--status", "working")
    assert (wrong.code, wrong.err.splitlines()) == (
        2,
        ["error: orders --status: 'working' is not known", "  hint: there are: open, closed, all"],
    )


def test_tables_fit_80_columns(traded: Path) -> None:
    for words in (("positions",), ("orders",)):
        seen = at_a_terminal(traded, "", *words)
        lines = seen.text.replace("\r\n", "\n").rstrip("\n").split("\n")
        assert seen.code == 0
        assert max(map(cells_wide, lines)) <= 80
        assert "…" not in seen.text
        assert len(lines) > 5


def test_own_signals_and_json_have_no_such_first_line(command: Command, project: Path) -> None:
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text("symbol,score,confidence\nAAPL,0.8,0.9\n")
    assert command("run-now", "--dry-run").out.startswith("DRY RUN ")
    (project / "signals" / "mine.csv").unlink()
    done = command("plan", "--json")
    assert json.loads(done.out)
    assert done.err.splitlines()[0] == "bundled sample signals; leverage: capital 2 x equity, at most 1.6 x invested"
