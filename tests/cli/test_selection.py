"""What a person leaves out for one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

SIGNALS = "symbol,action,confidence\nAAPL,buy,90\nMSFT,buy,90\nJPM,sell,90\n"


@pytest.fixture
def signals(project: Path) -> None:
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text(SIGNALS)


def trades(out: str) -> dict[str, tuple[str, str]]:
    return {order["symbol"]: (order["side"], order["state"]) for order in json.loads(out)["orders"]}


@pytest.mark.usefixtures("signals")
def test_each_option_leaves_out_what_it_says(command: Command) -> None:
    every = trades(command("plan", "--json").out)
    sold, bought = {s for s, o in every.items() if o[0] == "sell"}, {s for s, o in every.items() if o[0] == "buy"}
    assert bought == {"AAPL", "MSFT"}
    assert "JPM" in sold
    assert set(trades(command("plan", "--json", "--only", "AAPL,jpm").out)) == {"AAPL", "JPM"}
    assert set(trades(command("plan", "--json", "--exclude", "AAPL", "--exclude", "JPM").out)) == set(every) - {
        "AAPL",
        "JPM",
    }
    assert set(trades(command("plan", "--json", "--sell-only").out)) == sold
    assert set(trades(command("plan", "--json", "--buy-only").out)) == bought
    assert set(trades(command("plan", "--json", "--max-turnover", "1%").out)) == sold
    less = json.loads(command("plan", "--json", "--cash=-40000").out)["plan"]["capital"]
    assert float(less) < 130_000


@pytest.mark.usefixtures("signals")
def test_what_was_left_out_is_said_and_replayed(command: Command) -> None:
    done = command("run-now", "--only", "AAPL", "--json")
    record = json.loads(done.out)
    assert {o["symbol"] for o in record["orders"]} == {"AAPL"}
    said = {v["symbol"]: (v["outcome"], v["because"]) for v in record["verdicts"]}
    assert said["MSFT"] == ("HELD_LEFT_OUT", "not among those of selection.only")
    assert "left out" in command("explain", "MSFT").out
    assert command("replay", "--all") == (0, "", "")


NUMBERS = "\n  hint: such as --cash=-5000 or --max-turnover 10%\n"
SUCH = "  hint: such as --only AAPL,MSFT, --cash=-5000 or --max-turnover 10%\n"
LEAVING = "a deposit counts as soon as the broker shows it; only money that is to leave is announced: --cash=-5000"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("--sell-only", "--buy-only"),
            "--sell-only: cannot be combined with --buy-only\n  hint: choose one of them\n",
        ),
        (("--cash", "5000"), f"--cash: must be negative\n  hint: {LEAVING}\n"),
        (("--cash", "much"), f"--cash: 'much' is not a number{NUMBERS}"),
        (("--max-turnover", "nan"), f"--max-turnover: 'nan' is not a number{NUMBERS}"),
        (("--max-turnover", "0"), "--max-turnover: Input should be greater than 0\n" + SUCH),
        (("--only", "<script>"), "--only: '<script>' is not a symbol\n" + SUCH),
    ],
)
def test_what_cannot_be_meant_is_one_error(command: Command, words: tuple[str, ...], error: str) -> None:
    assert command("plan", *words) == (78, "", f"error: {error}")
