"""`rebalancer backtest`: its document, its files, its words and its refusals, on the slow engine of the tests."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rebalancer
from rebalancer.research import backtest
from rebalancer.research.market import AuditCount
from tests.cli.conftest import Command
from tests.research.stand_in import Replay, stand_in

KEYS = [
    "schema", "bars", "names", "start_equity", "final_equity", "total_return", "max_drawdown", "turnover",
    "turnover_a_year", "costs", "dividends", "orders", "fills", "exits", "outcomes", "audit", "engine", "seconds",
    "phases", "fill", "format", "preset", "prices_are", "policies", "warnings", "overfitting", "inputs",
]  # fmt: skip


@pytest.fixture(autouse=True)
def slow_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "load_engine", lambda: stand_in)


def files(bars: int = 30) -> tuple[pd.DataFrame, pd.DataFrame]:
    draw = np.random.default_rng(7)
    days = pd.bdate_range("2026-01-02", periods=bars)
    close = pd.DataFrame(50 * np.exp(np.cumsum(draw.normal(0, 0.02, (bars, 3)), axis=0)), days, ["AAA", "BBB", "CCC"])
    weights = pd.DataFrame(draw.dirichlet([1, 1, 1], bars), days, ["AAA", "BBB", "CCC"])
    close.round(4).to_csv("prices.csv", index_label="date")
    weights.round(6).to_csv("targets.csv", index_label="date")
    return close.round(4), weights.round(6)


def growth(close: pd.DataFrame, weights: pd.DataFrame) -> list[float]:
    held = (weights.shift(1) * close.pct_change()).sum(axis=1)
    return list(100_000 * (1 + held).cumprod())


FREE = ("--preset", "bare", "--no-costs", "--fill", "same_close")


def run(command: Command, *words: str) -> dict[str, Any]:
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *words, "--json")
    assert said.code == 0, said.err
    document: dict[str, Any] = json.loads(said.out)
    return document


def test_the_document_and_the_curve(command: Command) -> None:
    close, weights = files()
    found = run(command, *FREE, "--out", "out")
    expected = growth(close, weights)
    assert list(found) == KEYS
    assert found["schema"] == "rebalancer.backtest/1"
    assert (found["bars"], found["names"], found["start_equity"]) == (30, 3, 100_000.0)
    assert found["final_equity"] == pytest.approx(expected[-1], rel=1e-6)
    assert found["total_return"] == pytest.approx(expected[-1] / 100_000 - 1, abs=1e-6)
    high = np.maximum.accumulate(expected)
    assert found["max_drawdown"] == pytest.approx((np.array(expected) / high - 1).min(), abs=1e-6)
    assert found["costs"] == {"spread": 0, "impact": 0, "fees": 0, "interest": 0, "borrow": 0}
    assert found["policies"] == {
        "missing_prices": 0, "bars_without_prices": 0, "suspected_splits": 0, "instructions_after_last_bar": 0,
        "stale_scores": 0, "stale_targets": 0, "wanted_without_price": 0, "holds_without_score": 0,
        "positions_with_dividends": 0, "positions_split": 0, "positions_delisted": 0, "orders_dropped_by_actions": 0,
        "actions_without_effect": 0, "stale_marks": 0,
    }  # fmt: skip
    assert set(found["phases"]) == {"read", "compile", "run", "audit", "write"}
    curve = pd.read_csv("out/equity.csv", index_col="timestamp", parse_dates=True)
    assert list(curve.index) == list(close.index)
    np.testing.assert_allclose(curve["equity"], expected, rtol=1e-6)
    assert json.loads(Path("out/backtest.json").read_text()) == found


def test_costs_are_on_by_default_and_fills_come_later(command: Command) -> None:
    files()
    found, free = run(command, "--preset", "bare"), run(command, *FREE)
    assert found["fill"] == "next_close"
    assert found["warnings"][0] == "the prices have no opens: orders are filled at the close of the next bar"
    assert found["costs"]["spread"] > 0
    assert found["final_equity"] != free["final_equity"]


def test_the_days_from_and_to_are_included(command: Command) -> None:
    close, _ = files()
    found = run(command, *FREE, "--from", "2026-01-06", "--to", "2026-01-15", "--out", "out")
    assert found["bars"] == len(close["2026-01-06":"2026-01-15"])  # type: ignore[misc]
    lines = Path("out/equity.csv").read_text().splitlines()
    assert (lines[1].split(",")[0], lines[-1].split(",")[0]) == ("2026-01-06", "2026-01-15")


def test_rebalancing_only_where_something_new_is_said(command: Command) -> None:
    files()
    lines = Path("targets.csv").read_text().splitlines()
    Path("targets.csv").write_text("\n".join([lines[0], lines[1], lines[10], ""]))
    assert run(command, *FREE, "--rebalance", "on_targets")["orders"] < run(command, *FREE)["orders"]
    assert run(command, *FREE, "--rebalance", "on_targets")["orders"] == 6


def test_for_people(command: Command) -> None:
    files()
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *FREE, "--no-color")
    assert said.code == 0
    assert "$100,000.00 became" in said.out
    assert "NO COSTS: nothing that trading and holding would have cost is in this result" in said.out
    assert "not audited" in said.out
    assert "warning: orders are filled at the close they were decided on, which nobody can trade at" in said.err


def test_the_sharpe_ratio_stands_beside_the_number_of_trials(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    files()
    monkeypatch.setenv("REBALANCER_TRIALS", "trials.jsonl")
    run(command, *FREE)
    run(command, *FREE, "--from", "2026-01-05")
    found = run(command, *FREE, "--out", "out")["overfitting"]
    assert list(found) == [
        "sharpe", "trials", "deflated_sharpe", "min_backtest_years", "years", "settings_carried", "pbo", "pbo_trials",
    ]  # fmt: skip
    assert (found["trials"], found["years"], found["settings_carried"], found["pbo_trials"]) == (2, 30 / 252, 1, 1)
    page = Path("out/backtest.html").read_text()
    assert "Deflated Sharpe ratio" in page
    assert "0.1 years can carry 1 setting; 2 were tried, which need 0.3 years" in page
    text = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *FREE).out
    assert "the probability that it is no luck" in text
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *FREE, "--ledger", "/dev/null")
    assert (said.code, said.out) == (78, "")
    assert "/dev/null: is not a regular file" in said.err


def test_the_page(command: Command) -> None:
    files(300)
    found = run(command, "--preset", "bare", "--out", "out", "--benchmark", "AAA")
    page = Path("out/backtest.html").read_text()
    data = page.split('id="report-data">')[1].split("</script>")[0]
    assert json.loads(data)["final_equity"] == found["final_equity"]
    for text in (
        "Return since the start", "Below the highest equity before", "Returns by month", "a share of equity",
        "Value traded over equity", "What was paid", "half the spread", "Best and worst names", "By sector", "PLANNED",
        "Assumptions", "orders are filled at the close of the next bar", "not audited",
    ):  # fmt: skip
        assert text in page
    assert page.count('class="plot"') == 9
    assert page.count('<path class="second"') == 2  # benchmark and net exposure


def test_a_difference_of_the_audit_marks_the_run(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(*given: Any) -> Replay:
        found = stand_in(*given)
        found.result = found.result._replace(audit=AuditCount(5, 2, "b-7: the plan failed its last check"))
        return found

    monkeypatch.setattr(backtest, "load_engine", lambda: differs)
    files()
    said = command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *FREE, "--out", "out")
    assert said.code == 1
    assert "audited 5 of 30 bars: 2 differences" in said.out
    assert "error: the live planner decides otherwise at 2 audited bars\nerror: b-7: the plan failed" in said.err
    assert (
        "audited 5 of 30 bars: 2 differences; b-7: the plan failed its last check"
        in Path("out/backtest.html").read_text()
    )


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("--targets", "t.csv", "--signals", "s.csv"), 2, "give either --targets or --signals"),
        ((), 2, "give either --targets or --signals"),
        (("--targets", "targets.csv", "--preset", "naked"), 2, "--preset: 'naked' is not known"),
        (("--targets", "targets.csv", "--fill", "now"), 2, "--fill: 'now' is not known"),
        (("--targets", "targets.csv", "--from", "yesterday"), 78, "--from: 'yesterday' is not a day"),
        (("--targets", "targets.csv", "--from", "2030-01-01"), 78, "--from, --to: leave no bar"),
        (("--targets", "targets.csv", "--equity", "0"), 78, "--equity: 0 USD is no equity"),
        (("--targets", "targets.csv", "--no-costs", "--impact", "1"), 78, "does not go with an option of costs"),
        (("--targets", "absent.csv"), 78, "absent.csv"),
        (("--targets", "targets.csv", "--benchmark", "ZZZ", "--out", "o"), 78, "the prices do not have ZZZ"),
    ],
)
def test_refusals(words: tuple[str, ...], code: int, expected: str, command: Command) -> None:
    files()
    said = command("backtest", "--prices", "prices.csv", *words)
    assert said.code == code
    assert expected in said.err
    assert said.err.startswith("error: ")


def test_a_schedule_chooses_the_bars(command: Command) -> None:
    files(60)
    Path("weekly.yaml").write_text("execution:\n  schedule: weekly last 15:45\n")
    found = run(command, *FREE, "--config", "weekly.yaml")
    fridays = [d for d in (date(2026, 1, 2) + timedelta(days=i) for i in range(84)) if d.weekday() == 4]
    assert found["orders"] <= 3 * len(fridays)
    assert 0 < found["orders"] < run(command, *FREE)["orders"]


def test_from_python_it_is_the_same(command: Command) -> None:
    close, weights = files()
    printed = run(command, *FREE)
    found = rebalancer.backtest(close, weights, preset="bare", costs="none", fill="same_close").document()
    timed = ("seconds", "phases", "inputs", "overfitting")  # a frame and a file are two data sets
    assert {k: v for k, v in found.items() if k not in timed} == {k: v for k, v in printed.items() if k not in timed}


def test_a_bar_is_explained_by_live_planning(command: Command) -> None:
    close, weights = files()
    run(command, *FREE, "--out", "out")
    said = command("explain", "BBB", "--bar", "2026-01-08", "--run", "out", "--no-color")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("BBB ")
    assert f"{weights['BBB'].iloc[4] * 100:.2f}"[:4] in said.out
    found = json.loads(command("explain", "BBB", "--bar", "2026-01-08", "--run", "out", "--json").out)
    assert (found["schema"], found["symbol"], found["cycle_id"]) == ("rebalancer.explain/1", "BBB", "2026-01-08T21:00Z")
    assert found["signals"][0]["target"] == str(weights["BBB"].iloc[4])
    assert found["verdicts"][0]["outcome"] == "PLANNED"
    equity = growth(close, weights)[4]
    held = float(found["target"]["qty"])
    assert held == pytest.approx(weights["BBB"].iloc[4] * equity / close["BBB"].iloc[4], rel=1e-5)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("BBB", "--bar", "2026-01-10"), 78, "--bar: there is no bar at 2026-01-10"),
        (("BBB", "--bar", "soon"), 78, "--bar: 'soon' is not a time"),
        (("BBB", "--bar", "2026-01-08", "--cycle", "x"), 2, "--bar does not go with --cycle"),
        (("B B", "--bar", "2026-01-08"), 78, "is not a symbol"),
    ],
)
def test_a_bar_that_cannot_be_explained(words: tuple[str, ...], code: int, expected: str, command: Command) -> None:
    files()
    run(command, *FREE, "--out", "out")
    said = command("explain", *words, "--run", "out")
    assert (said.code, expected in said.err) == (code, True), said.err


def test_changed_files_explain_nothing(command: Command) -> None:
    files()
    run(command, *FREE, "--out", "out")
    files(31)
    said = command("explain", "BBB", "--bar", "2026-01-08", "--run", "out")
    assert said.code == 78
    assert "prices.csv: has changed since the backtest" in said.err


def test_prices_of_the_broker_and_of_the_journal(command: Command) -> None:
    Path("t.csv").write_text("symbol,weight\nSPY,0.6\nAGG,0.4\n")
    said = command("backtest", "--prices", "broker", "--targets", "t.csv", *FREE, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["names"], found["policies"]["missing_prices"]) == (2, 0)
    assert found["bars"] > 400
    said = command("backtest", "--prices", "journal", "--targets", "t.csv", "--json")
    assert (said.code, "nothing has been run yet" in said.err) == (78, True)
    assert command("run-now").code == 0
    held = json.loads(command("positions", "--json").out)["positions"][0]["symbol"]
    Path("t.csv").write_text(f"symbol,weight\n{held},0.5\n")
    said = command("backtest", "--prices", "journal", "--targets", "t.csv", *FREE, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["bars"] == 1
