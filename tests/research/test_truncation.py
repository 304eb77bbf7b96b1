"""Nothing that is known at a bar depends on what comes later: every format of instructions, and the reference data."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from rebalancer.core.rules import Rules
from rebalancer.research.bar_times import moment_at
from rebalancer.research.cycles import cycles_of
from rebalancer.research.instruction_files import read_instructions
from rebalancer.research.market import Instructions, Market
from rebalancer.research.reference_columns import reference_columns
from tests.research.setups import random_market
from tests.research.truncation import cut, looks_ahead

BARS, NAMES = 60, 4
MARKET = random_market(BARS, NAMES)
RULES = Rules.model_validate({"signals": {"max_age_minutes": 44_000}})


def days(market: Market) -> list[str]:
    return [date.fromordinal(int(day)).isoformat() for day in market.day]


def text_of(form: str, market: Market) -> str:
    """A file of instructions on every third day, of random values."""
    draw = np.random.default_rng(11)
    values = np.round(draw.dirichlet(np.ones(NAMES), BARS), 6)
    names, chosen = market.symbols, list(enumerate(days(market)))[::3]
    wide = [f"{day}," + ",".join(map(str, values[i])) for i, day in chosen]
    cells = [(day, name, values[i, k]) for i, day in chosen for k, name in enumerate(names)]
    match form:
        case "wide":
            return "\n".join([f"date,{','.join(names)}", *wide, ""])
        case "long":
            return "\n".join(["date,symbol,weight", *(f"{d},{s},{v}" for d, s, v in cells), ""])
        case "pyfolio":
            return "\n".join([f"date,{','.join(names)},cash", *(f"{row},100" for row in wide), ""])
        case "alphalens":
            return "\n".join(["date,asset,factor", *(f"{d},{s},{v}" for d, s, v in cells), ""])
    rows = (f"{s},{v},0.9,{moment_at(int(market.times[i])).isoformat()}" for i, _ in chosen for s, v in
            zip(names, values[i], strict=True))  # fmt: skip
    return "\n".join(["symbol,score,confidence,issued_at", *rows, ""])


FORMS = ("wide", "long", "pyfolio", "alphalens", "scores")


@pytest.mark.parametrize("form", FORMS)
def test_no_format_looks_ahead(form: str, tmp_path: Path) -> None:
    path = tmp_path / "said.csv"
    path.write_text(text_of(form, MARKET))

    def make(market: Market) -> Instructions:
        return read_instructions(path, market, RULES).aligned.instructions

    assert looks_ahead(make, MARKET, range(0, BARS, 7)) == []
    assert np.isfinite(make(MARKET).value).sum() > BARS


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_come_later_change_nothing(form: str, tmp_path: Path) -> None:
    text = text_of(form, MARKET)
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    whole.write_text(text)
    for bar in (0, 9, 31, 57):
        day = days(MARKET)[bar]
        header, *rows = text.splitlines()
        moments = [row.rsplit(",", 1)[1] if form == "scores" else row.split(",")[0] for row in rows]
        kept = [row for row, at in zip(rows, moments, strict=True) if at[:10] <= day]
        part.write_text("\n".join([header, *kept, ""]))
        found = read_instructions(part, cut(MARKET, bar), RULES).aligned.instructions.value
        expected = read_instructions(whole, MARKET, RULES).aligned.instructions.value[: bar + 1]
        np.testing.assert_array_equal(found, expected)


def test_reference_data_does_not_look_ahead() -> None:
    market = random_market(200, NAMES, gaps=0.03)
    whole = reference_columns(market, {}, Rules())
    for bar in (0, 41, 42, 90, 126, 150, 198):
        short = reference_columns(cut(market, bar), {}, Rules())
        np.testing.assert_array_equal(whole.volatility[: bar + 1], short.volatility)
        np.testing.assert_array_equal(whole.cluster[: bar + 1], short.cluster)


@pytest.mark.parametrize("schedule", ["daily 15:45", "weekly last 15:45", "weekly first 10:00", "monthly first 10:00"])
def test_the_slots_of_a_schedule_do_not_look_ahead(schedule: str) -> None:
    rules = Rules.model_validate({"execution": {"schedule": schedule}})
    every = np.ones(BARS, dtype=bool)
    whole = cycles_of(MARKET, rules, "every_bar", every)
    assert whole.any()
    for bar in range(0, BARS, 5):
        short = cut(MARKET, bar)
        assert cycles_of(short, rules, "every_bar", every[: bar + 1]).tolist() == whole[: bar + 1].tolist()
