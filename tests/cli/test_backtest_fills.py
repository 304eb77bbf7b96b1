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


def test_rules_with_stops_say_that_they_are_not_simulated(command: Command) -> None:
    Path("p.csv").write_text(PRICES)
    Path("t.csv").write_text("date,AAA\n2026-01-02,0.05\n")
    found = json.loads(command(*WORDS[:5], "--json").out)
    assert any(w.startswith("stops and targets of single positions (protection.mode: ") for w in found["warnings"])
    assert not any("protection" in w for w in json.loads(command(*WORDS, "--json").out)["warnings"])
