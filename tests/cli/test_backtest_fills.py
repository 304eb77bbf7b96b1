"""`rebalancer backtest --fill next_vwap`, and the file of its fills."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from rebalancer.research import backtest, simulate
from rebalancer.research.audit import audited
from tests.cli.conftest import Command

PRICES = """timestamp,symbol,open,close,vwap
2026-01-02,AAA,50,51,50.5
2026-01-05,AAA,52,53,52.5
2026-01-06,AAA,54,55,54.5
"""
WORDS = ("backtest", "--prices", "p.csv", "--targets", "t.csv", "--preset", "bare", "--rebalance", "on_targets")


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(setup: object, _: object) -> object:
        run = simulate.simulated(setup, interpreted=True)  # type: ignore[arg-type]
        return run._replace(audit=audited(run))

    monkeypatch.setattr(backtest, "load_engine", lambda: engine)


@pytest.mark.parametrize(("fill", "price"), [("next_open", 52), ("next_vwap", 52.5), ("next_close", 53)])
def test_where_orders_fill(fill: str, price: float, command: Command) -> None:
    Path("p.csv").write_text(PRICES)
    Path("t.csv").write_text("date,AAA\n2026-01-02,0.5\n")
    said = command(*WORDS, "--fill", fill, "--out", "out", "--fills", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["fill"], found["fills"], found["audit"]["differences"]) == (fill, 1, 0)
    fills = pd.read_csv("out/fills.csv")
    assert fills[["at", "symbol", "price"]].to_numpy().tolist() == [["2026-01-05", "AAA", price]]
    assert fills["qty"].iloc[0] == pytest.approx(50_000 / 51, abs=1e-6)
    assert fills["costs"].iloc[0] == pytest.approx(fills["qty"].iloc[0] * price * 0.0002, abs=2e-6)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("--fill", "next_vwap"), 78, "--fill: next_vwap: the prices have no volume-weighted averages"),
        (("--fills",), 2, "--fills needs a folder: --out"),
    ],
)
def test_refusals(words: tuple[str, ...], code: int, expected: str, command: Command) -> None:
    Path("p.csv").write_text("date,AAA\n2026-01-02,50\n2026-01-05,51\n")
    Path("t.csv").write_text("date,AAA\n2026-01-02,0.5\n")
    said = command(*WORDS, *words)
    assert (said.code, expected in said.err) == (code, True), said.err


def test_closes_alone_say_where_stops_are_looked_for(command: Command) -> None:
    Path("p.csv").write_text(PRICES)
    Path("t.csv").write_text("date,AAA\n2026-01-02,0.05\n")
    said = "the prices have no open, high and low: stops and targets are looked for at the close of each bar"
    found = json.loads(command(*WORDS[:5], "--json").out)
    assert any(w.startswith(said) for w in found["warnings"])
    assert found["exits"] == {"stop": 0, "target": 1, "both_reached": 0, "orders_dropped": 0}
    assert not any("stops" in w for w in json.loads(command(*WORDS, "--json").out)["warnings"])


def test_exits_are_in_the_fills_with_their_reason(command: Command) -> None:
    rows = ((50, 51, 49, 50), (50, 51, 49.5, 50), (50, 60, 49.5, 55), (55, 55, 55, 55))
    days = ("2026-01-02", "2026-01-05", "2026-01-06", "2026-01-07")
    lines = [f"{day},AAA,{','.join(map(str, row))}" for day, row in zip(days, rows, strict=True)]
    Path("p.csv").write_text("\n".join(["date,symbol,open,high,low,close", *lines, ""]))
    Path("t.csv").write_text("date,AAA\n2026-01-02,0.05\n")
    said = command(*WORDS[:5], "--rebalance", "on_targets", "--out", "out", "--fills", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["exits"]["target"], found["audit"]["differences"]) == (1, 0)
    fills = pd.read_csv("out/fills.csv")
    assert fills[["at", "price", "why"]].to_numpy().tolist() == [
        ["2026-01-05", 50.0, "plan"],
        ["2026-01-06", 52.5, "target"],
    ]
    assert "Stops 3.0% and targets 5.0% from the entry" in Path("out/backtest.html").read_text()
