"""Real cycles on the embedded exchange, then what the commands say of them."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

from tests.cli.conftest import Command, Said

SIGNALS = "symbol,action,confidence\n"


def rows(said: Said) -> list[dict[str, str]]:
    """The rows of a CSV on stdout."""
    assert (said.code, said.err) == (0, "")
    return list(csv.DictReader(io.StringIO(said.out, newline=""), strict=True))


def traded(command: Command, project: Path) -> None:
    """Buy, then sell what was bought: round trips whose both ends are orders of ours."""
    signals = project / "signals"
    signals.mkdir()
    (signals / "mine.csv").write_text(SIGNALS + "KO,BUY,80\nWMT,BUY,80\n")
    assert command("run-now").code in (0, 4)
    (signals / "mine.csv").write_text(SIGNALS + "KO,SELL,90\nWMT,SELL,90\n")
    assert command("run-now").code in (0, 4)


def test_every_field_of_a_round_trip_comes_from_the_journal(command: Command, project: Path, tmp_path: Path) -> None:
    traded(command, project)
    own = [trip for trip in rows(command("export", "trips")) if trip["source"] != "inherited"]
    assert [(trip["symbol"], trip["side"]) for trip in sorted(own, key=lambda t: t["symbol"])] == [
        ("KO", "long"),
        ("WMT", "long"),
    ]
    for trip in own:
        filled = {name for name, value in trip.items() if value not in ("", "unknown")}
        assert {"entry", "exit", "held_seconds", "profit", "fees", "slippage", "source", "reason"} <= filled, trip
        assert Decimal(trip["gross"]) - Decimal(trip["fees"]) == Decimal(trip["profit"])
        assert float(trip["held_seconds"]) > 0
        assert trip["source"].startswith("mine")
        assert "regime" in trip  # of a run without 220 closes of the benchmark: unknown
    orders, fills = rows(command("export", "orders")), rows(command("export", "fills"))
    assert {o["broker_id"] for o in orders if Decimal(o["filled_qty"])} == {f["order_id"] for f in fills}
    assert [c["outcome"] for c in rows(command("history", "--format", "csv"))] == ["COMPLETED", "COMPLETED"]
    assert rows(command("export", "fills", "--since", "2099-01-01")) == []
    assert command("export", "trips").out == command("export", "trips").out

    said = command("performance", "--json")
    document = json.loads(said.out, parse_float=str)
    assert document["schema"] == "rebalancer.performance/1"
    assert document["trips"]["trips"] == len(rows(command("export", "trips")))
    assert isinstance(document["money"]["closing"], str)
    shown = command("performance", "--all")
    assert (shown.code, "\x1b" in shown.out) == (0, False)
    for words in ("time-weighted (daily)", "money-weighted (IRR)", "By exit reason", "no bars for SPY yet"):
        assert words in shown.out

    target = tmp_path / "days.json"
    written = command("export", "performance", "--format", "json", "--to", str(target))
    assert (written.code, written.out) == (0, "")
    assert json.loads(target.read_text())["export"] == "performance"


def test_what_cannot_be_exported_is_said(command: Command) -> None:
    nothing = command("export", "trips")
    assert (nothing.code, nothing.out) == (2, "")
    assert "nothing has been run yet" in nothing.err
    assert command("performance").code == 2
    assert command("export", "fils") == (
        2,
        "",
        "error: export: 'fils' is not known\n  hint: did you mean fills? there are: trips, fills, orders, positions, "
        "cycles, performance, tradervue\n",
    )
    assert command("export", "trips", "--format", "xml").code == 2
    assert command("history", "--format", "xml").code == 2
    assert command("export", "trips", "--since", "yesterday").code == 78
    assert command("export", "trips", "--dry-run").code == 2
