"""`rebalancer backtest --journal`: cycles that ran, beside what they planned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_the_cycles_of_the_journal(command: Command) -> None:
    said = command("backtest", "--journal", "--json")
    assert (said.code, "--journal: nothing has been run yet in simulated mode" in said.err) == (78, True)
    assert command("run-now").code in (0, 4)
    said = command("backtest", "--journal", "--json", "--out", "out")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["live"], found["bars"], found["audit"]["differences"]) == (
        {"cycles": 1, "equal": 1}, 1, 0,
    )  # fmt: skip
    assert "fills, exits, equity and fees are those of the journal" in found["warnings"]
    exits = "Exits of single positions are those of the journal, at their prices: 0 stops, 0 targets, 0 by a kill."
    assert exits in Path("out/backtest.html").read_text()
    said = command("backtest", "--journal")
    assert "plans equal to live" in said.out
    symbol = json.loads(command("positions", "--json").out)["positions"][0]["symbol"]
    said = command("explain", symbol, "--bar", found["inputs"]["first"] or "2026-11-20", "--run", "out", "--json")
    assert json.loads(said.out)["orders"][0]["symbol"] == symbol


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--journal", "--prices", "p.csv"), "--journal has its own prices"),
        (("--targets", "t.csv"), "give --prices, or --journal"),
    ],
)
def test_usage(words: tuple[str, ...], expected: str, command: Command) -> None:
    said = command("backtest", *words)
    assert (said.code, expected in said.err) == (2, True), said.err
