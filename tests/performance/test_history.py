"""The course in parts: months, falls, bars and rolling windows say the same as the whole."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance.history import (
    Drawdown,
    HistogramBar,
    Year,
    distribution,
    rolling_sharpe,
    rolling_volatility,
    worst_drawdowns,
    years_of,
)
from rebalancer.performance.ratios import drawdown_days, max_drawdown, sharpe, volatility
from rebalancer.performance.returns import drawdowns

START = date(2024, 11, 25)
returns_of = st.lists(st.floats(-0.2, 0.2).map(lambda r: round(r, 4)), min_size=1, max_size=120)


def days_of(returns: list[float]) -> list[date]:
    return [START + timedelta(days=i) for i in range(len(returns))]


@given(returns_of)
def test_months_chain_to_years_and_years_to_the_whole(returns: list[float]) -> None:
    years = years_of(days_of(returns), returns)
    for year in years:
        assert np.prod([1 + m for m in year.months if m is not None]) == pytest.approx(1 + year.total)
    assert np.prod([1 + year.total for year in years]) == pytest.approx(np.prod([1 + r for r in returns]))


def test_a_month_without_a_day_is_not_zero() -> None:
    days = [date(2025, 12, 31), date(2026, 1, 2), date(2026, 3, 2), date(2026, 3, 3)]
    found = years_of(days, [0.1, 0.02, 0.0, 0.5])
    assert [year.year for year in found] == [2025, 2026]
    assert found[0] == Year(2025, (*[None] * 11, pytest.approx(0.1)), pytest.approx(0.1))
    assert found[1].months[:4] == (pytest.approx(0.02), None, pytest.approx(0.5), None)


@given(returns_of)
def test_the_worst_fall_is_the_largest_drawdown_and_all_days_below_are_in_one(returns: list[float]) -> None:
    days = days_of(returns)
    series = np.array(returns)
    falls = worst_drawdowns(days, drawdowns(series).tolist(), most=1000)
    assert min((f.depth for f in falls), default=0.0) == max_drawdown(series)
    assert max((f.days for f in falls), default=0) == drawdown_days(series)
    assert list(falls) == sorted(falls, key=lambda f: f.depth)
    assert all(f.first <= f.lowest and (f.back is None or f.lowest < f.back) for f in falls)
    assert sum(f.back is None for f in falls) <= 1


def test_one_fall() -> None:
    days = days_of([0.0] * 5)
    below = drawdowns(np.array([0.1, -0.1, -0.1, 0.5, 0.1])).tolist()
    assert worst_drawdowns(days, below) == (Drawdown(days[1], days[2], days[3], pytest.approx(-0.19), 2),)


def test_a_day_that_comes_back_to_its_mark_ends_a_fall() -> None:
    days = days_of([0.0] * 4)
    below, back = [-0.01, -0.03, -0.02, -0.01], [True, False, True, False]
    assert worst_drawdowns(days, below, back) == (
        Drawdown(days[1], days[1], days[2], -0.03, 2),
        Drawdown(days[0], days[0], days[0], -0.01, 1),
        Drawdown(days[3], days[3], None, -0.01, 1),
    )


@given(returns_of)
def test_every_day_is_in_one_bar(returns: list[float]) -> None:
    bars = distribution(returns)
    assert sum(bar.days for bar in bars) == len(returns)
    assert len(bars) <= 16
    for before, after in pairwise(bars):
        assert before.high == pytest.approx(after.low)
    tiny = 1e-9
    assert bars[0].low - tiny <= min(returns)
    assert max(returns) < bars[-1].high + tiny


def test_bars_of_a_few_days() -> None:
    assert distribution([]) == ()
    assert distribution([0.0005, 0.0005, -0.0005]) == (HistogramBar(-0.001, 0.0, 1), HistogramBar(0.0, 0.001, 2))


def test_rolling_figures_are_those_of_the_last_days() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 70).tolist()
    found, ratio = rolling_volatility(returns), rolling_sharpe(returns, 0.02)
    assert found[:19] == (None,) * 19
    assert found[19] == volatility(np.array(returns[:20]))
    assert found[-1] == volatility(np.array(returns[-20:]))
    assert ratio[:59] == (None,) * 59
    assert ratio[-1] == sharpe(np.array(returns[-60:]), 0.02)
