"""`performance` and `export` of a backtest: the fields of a live account, the figures of the backtest."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from rebalancer.report.exports.tables import COLUMNS
from tests.cli.conftest import Command


@pytest.fixture
def document(command: Command, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Thirty days of one name that rises and falls, and one that is sold short and stopped; interpreted."""
    monkeypatch.setattr("rebalancer.research.simulate._engine", lambda interpreted: _interpreted())
    days = [f"2026-{1 + i // 20:02d}-{1 + i % 20:02d}" for i in range(30)]
    rows = [(day, name, base + i % 7, base + 1 + i % 7, base - 1 + i % 7, base + (i + 1) % 7, 50_000)
            for i, day in enumerate(days) for name, base in (("AAA", 50), ("BBB", 20))]  # fmt: skip
    lines = ["date,symbol,open,high,low,close,volume", *(",".join(map(str, row)) for row in rows), ""]
    Path("prices.csv").write_text("\n".join(lines))
    weights = [f"{day},{0.1 if i % 2 else 0.05},{-0.05 if i % 3 else 0.05}" for i, day in enumerate(days)]
    Path("targets.csv").write_text("\n".join(["date,AAA,BBB", *weights, ""]))
    Path("rules.yaml").write_text("position_sizing: {allow_short: true}\nreporting: {benchmark: AAA}\n")
    words = ("--prices", "prices.csv", "--targets", "targets.csv", "--config", "rules.yaml", "--out", "out", "--json")
    said = command("backtest", *words)
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    assert found["audit"]["differences"] == 0
    assert found["exits"]["stop"] > 0
    return found


def _interpreted() -> object:
    from rebalancer.research import engine

    return engine


def rows(command: Command, what: str) -> list[dict[str, str]]:
    said = command("export", what, "--backtest", "out")
    assert said.code == 0, said.err
    found = list(csv.DictReader(io.StringIO(said.out)))
    assert tuple(found[0]) == COLUMNS[what]
    return found


def test_every_view_agrees_with_the_backtest(command: Command, document: dict[str, Any]) -> None:
    said = command("performance", "--all", "--backtest", "out", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["mode"], found["bridge"], found["counts"]["fills"]) == ("backtest", None, document["fills"])
    assert found["counts"]["orders"] == document["orders"]
    figures = {key.partition("@")[0]: figure["value"] for key, figure in found["figures"].items()}
    assert float(figures["equity"]) == pytest.approx(document["final_equity"], abs=0.01)
    assert float(figures["return"]) == pytest.approx(document["total_return"], abs=1e-6)
    fills, orders, days = (rows(command, what) for what in ("fills", "orders", "performance"))
    assert (len(fills), len(orders), len(days)) == (document["fills"], document["orders"], document["bars"])
    costs = sum(document["costs"][kind] for kind in ("spread", "impact", "fees"))
    assert sum(float(fill["fee"]) for fill in fills) == pytest.approx(costs, abs=0.001)
    assert float(days[-1]["equity"]) == pytest.approx(document["final_equity"], abs=0.000001)
    held = {row["symbol"]: float(row["qty"]) for row in rows(command, "positions")}
    summed: dict[str, float] = {}
    for fill in fills:
        summed[fill["symbol"]] = summed.get(fill["symbol"], 0.0) + float(fill["qty"])
    assert held == {symbol: pytest.approx(qty) for symbol, qty in summed.items() if abs(qty) > 1e-9}
    assert {row["exit_cause"] for row in rows(command, "trips")} == {"target", "stop", "take-profit"}


def test_what_does_not_go_together(command: Command, document: dict[str, Any]) -> None:
    for words, code, expected in (
        (("export", "cycles", "--backtest", "out"), 78, "a backtest stores no cycles"),
        (("export", "fills", "--backtest", "out", "--state", "s"), 2, "give --state or --backtest, not both"),
        (("performance", "--backtest", "absent"), 78, "absent/backtest.json"),
    ):
        said = command(*words)
        assert (said.code, expected in said.err) == (code, True), said.err
    Path("targets.csv").write_text(Path("targets.csv").read_text() + "\n")
    said = command("performance", "--backtest", "out")
    assert (said.code, "has changed since the backtest" in said.err) == (78, True)
