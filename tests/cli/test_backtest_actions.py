"""`rebalancer backtest --actions`: raw prices with their dividends and splits, and names that disappear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Command

DAYS = ("02", "05", "06", "07", "08", "09", "12", "13", "14", "15", "16", "20", "21", "22", "23")
FREE = ("--preset", "bare", "--no-costs", "--fill", "same_close", "--rebalance", "on_targets")


def files(prices: list[tuple[object, object]]) -> None:
    lines = [f"2026-01-{day},{a},{b}" for day, (a, b) in zip(DAYS, prices, strict=False)]
    Path("prices.csv").write_text("\n".join(["date,AAA,BBB", *lines, ""]))
    Path("targets.csv").write_text("date,AAA,BBB\n2026-01-02,0.5,0.5\n")


def run(command: Command, *words: str) -> dict[str, Any]:
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *FREE, *words, "--json")
    assert said.code == 0, said.err
    document: dict[str, Any] = json.loads(said.out)
    return document


def test_dividends_and_splits(command: Command) -> None:
    files([(50, 20), (50, 20), (12.5, 19), (12.5, 19)])
    Path("a.csv").write_text("symbol,ex_date,kind,value\nAAA,2026-01-06,split,4\nBBB,2026-01-06,dividend,1\n")
    found = run(command, "--actions", "a.csv", "--out", "out")
    assert (found["final_equity"], found["dividends"], found["prices_are"]) == (100_000.0, 2500.0, "raw")
    policies = found["policies"]
    assert (policies["positions_with_dividends"], policies["positions_split"]) == (1, 1)
    assert (policies["suspected_splits"], policies["stale_marks"], found["audit"]["differences"]) == (0, 0, 0)
    page = Path("out/backtest.html").read_text()
    assert "Prices are taken as raw: dividends are paid on the ex-date" in page
    assert "Dividends came to" in page
    explained = command("explain", "AAA", "--bar", "2026-01-02", "--run", "out", "--json")
    assert json.loads(explained.out)["target"]["qty"] == "1000"
    Path("a.csv").write_text("symbol,ex_date,kind,value\nAAA,2026-01-06,split,4\n")
    assert (
        "a.csv: has changed since the backtest" in command("explain", "AAA", "--bar", "2026-01-02", "--run", "out").err
    )


def test_without_actions_prices_are_adjusted_and_a_split_is_suspected(command: Command) -> None:
    files([(50, 20), (50, 20), (12.5, 19), (12.5, 19)])
    found = run(command, "--out", "out")
    assert (found["final_equity"], found["dividends"], found["prices_are"]) == (60_000.0, 0.0, "adjusted")
    assert found["policies"]["suspected_splits"] == 1
    assert "1 steps look like unadjusted splits, the first AAA 4:1 at prices.csv:4" in found["warnings"][0]
    assert "Prices are taken as adjusted: no dividend and no split is booked." in Path("out/backtest.html").read_text()


def test_a_name_that_disappears(command: Command) -> None:
    files([(50, 20), (50, 20), (40, 20), *[("", 20)] * 12])
    kept, lost = run(command), run(command, "--delisted", "write_off", "--delisted-after", "3")
    for found, equity, marks in ((kept, 90_000.0, 10), (lost, 50_000.0, 3)):
        assert (found["final_equity"], found["policies"]["positions_delisted"]) == (equity, 1)
        assert found["policies"]["stale_marks"] == marks
    assert run(command, "--delisted-after", "20")["policies"]["stale_marks"] == 12


def test_refusals(command: Command) -> None:
    files([(50, 20), (50, 20), (49, 20)])
    Path("a.csv").write_text("symbol,ex_date,kind,value\nAAA,2026-01-06,split,4\n")
    for words, expected in (
        (("--actions", "a.csv"), "a.csv:2: AAA is split 4:1, and its price goes from 50 to 49"),
        (("--actions", "b.csv"), "b.csv"),
        (("--delisted-after", "0"), "--delisted-after: 0 days are too few"),
    ):
        said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *words)
        assert (said.code, expected in said.err) == (78, True), said.err
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", "--delisted", "sold")
    hint = "--delisted: 'sold' is not known\n  hint: there are: last_price, write_off"
    assert (said.code, hint in said.err) == (2, True), said.err
