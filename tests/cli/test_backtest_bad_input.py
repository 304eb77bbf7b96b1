"""Bad input of a backtest: every kind is one clear error with its place, or a policy that the result counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rebalancer.research import backtest
from tests.cli.conftest import Command
from tests.research.stand_in import stand_in

PRICES = "date,AAA,BBB\n2026-01-02,50,20\n2026-01-05,51,21\n2026-01-06,52,22\n2026-01-07,53,23\n"
TARGETS = "date,AAA,BBB\n2026-01-02,0.5,0.5\n"
UTC = "2026-01-02T15:00:00Z"


@pytest.fixture(autouse=True)
def slow_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "load_engine", lambda: stand_in)


def moments(*times: str) -> str:
    return "\n".join(["timestamp,AAA,BBB", *(f"{at},{50 + i},20" for i, at in enumerate(times)), ""])


REFUSED = {
    "unsorted bars": (
        PRICES.replace("2026-01-06", "2026-01-03"),
        TARGETS, "prices.csv:4: date: 2026-01-03 is earlier than the row before it",
    ),
    "duplicated bars": (
        PRICES.replace("2026-01-06", "2026-01-05"), TARGETS, "prices.csv:4: date: 2026-01-05 stands twice",
    ),
    "a zero price": (PRICES.replace("52", "0"), TARGETS, "prices.csv:4: AAA: 0 is not a price above 0"),
    "a negative price": (PRICES.replace("52", "-1"), TARGETS, "prices.csv:4: AAA: -1 is not a price above 0"),
    "an infinite price": (PRICES.replace("52", "inf"), TARGETS, "prices.csv:4: AAA"),
    "a price that is a word": (PRICES.replace("52", "high"), TARGETS, "prices.csv:4: AAA"),
    "a symbol without any price": (
        PRICES.replace(",20", ",").replace(",21", ",").replace(",22", ",").replace(",23", ","),
        TARGETS, "prices.csv: BBB: has no price at all",
    ),
    "times with and without an offset": (
        moments(UTC, "2026-01-02T15:05:00"), TARGETS, "prices.csv:3: timestamp: 2026-01-02T15:05:00 has no offset",
    ),
    "days between times": (moments(UTC, "2026-01-05"), TARGETS, "prices.csv:3: timestamp: 2026-01-05 is a day"),
    "a repeated symbol": (PRICES.replace("BBB", "AAA"), TARGETS, "prices.csv:1: 'AAA': stands twice"),
    "no rows": ("date,AAA,BBB\n", TARGETS, "prices.csv:1: has a header and no rows"),
    "a cut row": (PRICES.replace("52,22", "52"), TARGETS, "prices.csv:4: has 2 columns and the header has 3"),
    "weights without prices": (
        PRICES, "date,AAA,CCC\n2026-01-02,0.5,0.5\n", "targets.csv: 1 names have no prices: CCC",
    ),
    "no name in common": (PRICES, "date,CCC\n2026-01-02,0.5\n", "targets.csv: has no name in common with the prices"),
    "no time in common": (
        PRICES, TARGETS.replace("2026-01-02", "2027-01-04"), "targets.csv: begins after the last bar of the prices",
    ),
    "a weight that is a word": (PRICES, TARGETS.replace("0.5,", "half,"), "targets.csv:2"),
    "weights out of order": (
        PRICES, TARGETS + "2026-01-06,0.5,0.5\n2026-01-05,0.5,0.5\n", "targets.csv:4",
    ),
    "a split that the prices do not show": (PRICES, TARGETS, "actions.csv:2: AAA is split 4:1"),
}  # fmt: skip

COUNTED = {
    "a gap": (PRICES.replace("52,", ","), TARGETS, "missing_prices", 1),
    "NaN": (PRICES.replace("52,22", "NaN,nan"), TARGETS, "missing_prices", 2),
    "a bar without any price": (PRICES.replace("52,22", ","), TARGETS, "bars_without_prices", 1),
    "a weight where there is no price": (PRICES.replace("52,", ","), TARGETS, "wanted_without_price", 1),
    "an unadjusted split": (PRICES.replace("53", "13"), TARGETS, "suspected_splits", 1),
    "instructions from the future": (PRICES, TARGETS + "2027-01-04,1,0\n", "instructions_after_last_bar", 1),
}


def ran(command: Command, prices: str, targets: str, *words: str) -> tuple[int, str, str]:
    Path("prices.csv").write_text(prices)
    Path("targets.csv").write_text(targets)
    return command("backtest", "--prices", "prices.csv", "--targets", "targets.csv", *words, "--json", "--out", "out")


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_its_place(kind: str, command: Command) -> None:
    prices, targets, problem = REFUSED[kind]
    words: tuple[str, ...] = ()
    if "split" in kind:
        Path("actions.csv").write_text("symbol,ex_date,kind,value\nAAA,2026-01-06,split,4\n")
        words = ("--actions", "actions.csv")
    code, out, err = ran(command, prices, targets, *words)
    assert (code, out) == (78, "")
    assert err.startswith(f"error: {problem}"), err
    assert err.count("error: ") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize("kind", COUNTED)
def test_counted_in_the_result(kind: str, command: Command) -> None:
    prices, targets, policy, count = COUNTED[kind]
    code, out, err = ran(command, prices, targets, "--preset", "bare")
    assert code == 0, err
    found = json.loads(out)
    assert found["policies"][policy] == count
    assert found["policies"] == json.loads(Path("out/backtest.json").read_text())["policies"]
    page = Path("out/backtest.html").read_text()
    if policy not in ("wanted_without_price", "bars_without_prices"):
        assert any(warning.split()[0] == str(count) for warning in found["warnings"]), found["warnings"]
        assert all(warning[1:20] in page for warning in found["warnings"])


def test_several_offsets_are_converted_and_said(command: Command) -> None:
    times = ("2026-01-02T15:00:00Z", "2026-01-02T10:05:00-05:00", "2026-01-02T16:10:00+01:00", "2026-01-02T15:15:00Z")
    code, out, err = ran(command, moments(*times), TARGETS, "--preset", "bare")
    assert code == 0, err
    assert "the times have 3 different offsets; all are converted to UTC" in json.loads(out)["warnings"]
    lines = Path("out/equity.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == [f"2026-01-02T15:{m}:00Z" for m in ("00", "05", "10", "15")]
