"""Deposits and withdrawals are never profit; both kinds of return; the market's regimes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance.benchmark import Benchmark
from rebalancer.performance.records import DayValue
from rebalancer.performance.regimes import regimes_by_day
from rebalancer.performance.returns import annual, daily_returns, drawdowns, growth, money_weighted, time_weighted
from rebalancer.regimes.measures import CLOSES_MIN

D = Decimal
FIRST = date(2026, 1, 5)
ONE = D(1)
rates = st.decimals("-0.2", "0.3", places=3)
flows = st.decimals("-300", "900", places=2)
morning = st.sampled_from([D(0), D(1)])  # how much of its day a flow was there


def run(rows: list[tuple[Decimal, Decimal, Decimal]], opening: Decimal) -> list[DayValue]:
    """Days on which all of the account earns a rate, and money comes in before the open or goes in after the close."""
    days, worth = [], opening
    for i, (rate, flow, share) in enumerate(rows):
        worth = (worth + share * flow) * (1 + rate) + (1 - share) * flow
        days.append(DayValue(FIRST + timedelta(days=i + 1), worth, flow, share * flow))
    return days


@given(st.lists(st.tuples(rates, flows, morning), min_size=1, max_size=20))
def test_flows_leave_the_time_weighted_return_as_it_is(rows: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    with_flows = daily_returns(D(10_000), run(rows, D(10_000)))
    without = daily_returns(D(10_000), run([(rate, D(0), D(0)) for rate, _, _ in rows], D(10_000)))
    assert with_flows == pytest.approx([float(rate) for rate, _, _ in rows], abs=1e-12)
    assert time_weighted(with_flows) == pytest.approx(time_weighted(without), abs=1e-12)


@given(st.lists(st.tuples(flows, morning), min_size=1, max_size=20), st.decimals("5000", "20000", places=2))
def test_money_that_only_comes_and_goes_earns_nothing(rows: list[tuple[Decimal, Decimal]], opening: Decimal) -> None:
    days = run([(D(0), flow, share) for flow, share in rows], opening)
    assert set(daily_returns(opening, days)) == {0.0}
    assert money_weighted(opening, FIRST, days) == pytest.approx(0.0, abs=1e-9)


@given(
    st.decimals("-0.02", "0.03", places=4), st.lists(st.tuples(flows.filter(lambda f: f >= 0), morning), max_size=20)
)
def test_at_a_steady_rate_both_returns_agree(rate: Decimal, rows: list[tuple[Decimal, Decimal]]) -> None:
    days = run([(rate, flow, share) for flow, share in rows] or [(rate, D(0), D(0))], D(10_000))
    weighted = time_weighted(daily_returns(D(10_000), days))
    assert money_weighted(D(10_000), FIRST, days) == pytest.approx(weighted, abs=1e-9)


def test_money_that_came_before_the_fall_weighs_more() -> None:
    days = [DayValue(FIRST + timedelta(days=1), D(210), D(100)), DayValue(FIRST + timedelta(days=2), D(105))]
    assert time_weighted(daily_returns(D(100), days)) == pytest.approx(1.1 * 0.5 - 1)
    # 100 x^2 + 100 x = 105
    assert money_weighted(D(100), FIRST, days) == pytest.approx(((-100 + (10_000 + 42_000) ** 0.5) / 200) ** 2 - 1)


@pytest.mark.parametrize(
    ("opening", "days", "expected"),
    [
        (D(100), [], None),
        (D(0), [DayValue(FIRST, D(50))], None),  # out of nothing
        (D(100), [DayValue(FIRST + timedelta(days=9), D(-1))], None),  # more than all was lost
        (D(0), [DayValue(FIRST + timedelta(days=2), D(110), D(100), D(100))], 0.21),  # in half of the time
    ],
)
def test_where_there_is_no_rate_none_is_told(opening: Decimal, days: list[DayValue], expected: float | None) -> None:
    found = money_weighted(opening, FIRST, days)
    assert found == (None if expected is None else pytest.approx(expected))


@given(
    st.decimals("0", "1000", places=2),
    st.lists(st.tuples(st.decimals("-100", "2000", places=2), flows), min_size=1, max_size=12),
)
def test_returns_are_finite_whatever_the_books_say(opening: Decimal, rows: list[tuple[Decimal, Decimal]]) -> None:
    days = [DayValue(FIRST + timedelta(days=i), equity, flow) for i, (equity, flow) in enumerate(rows)]
    returns = daily_returns(opening, days)
    assert np.isfinite(returns).all()
    assert np.isfinite(drawdowns(returns)).all()
    rate = money_weighted(opening, FIRST, days)
    assert rate is None or (np.isfinite(rate) and rate > -1)


def test_without_an_opening_the_first_day_has_no_return() -> None:
    days = [DayValue(FIRST, D(100)), DayValue(FIRST + timedelta(days=1), D(110))]
    assert daily_returns(None, days).tolist() == [0.1]
    assert daily_returns(D(80), days).tolist() == [0.25, 0.1]
    assert daily_returns(D(0), days).tolist() == [0.0, 0.1]
    assert growth(np.array([0.25, -0.5])).tolist() == [1.0, 1.25, 0.625]
    assert drawdowns(np.array([0.25, -0.5, 3.0])).tolist() == [0.0, -0.5, 0.0]


def test_only_a_whole_year_has_a_yearly_rate() -> None:
    assert annual(0.21, date(2024, 1, 1), date(2025, 12, 31)) == pytest.approx(0.1)
    assert annual(0.21, date(2025, 1, 2), date(2025, 12, 31)) is None
    assert annual(None, date(2024, 1, 1), date(2025, 12, 31)) is None
    assert annual(-1.0, date(2024, 1, 1), date(2025, 12, 31)) is None


def test_regimes_know_nothing_of_their_own_day() -> None:
    draw = np.random.default_rng(3)
    steps = np.concatenate((draw.normal(0.001, 0.002, 240), draw.normal(-0.03, 0.03, 40)))
    closes = (100 * np.exp(np.cumsum(steps))).tolist()
    days = [FIRST + timedelta(days=i) for i in range(len(closes))]
    found = regimes_by_day(Benchmark("SPY", tuple(days), tuple(closes)))
    assert list(found) == days[CLOSES_MIN:]
    assert (found[days[240]], found[days[-1]]) == ("BULL", "CRISIS")
    lower = (*closes[:-1], 1e-9)  # the last close is of the last day itself
    assert regimes_by_day(Benchmark("SPY", tuple(days), lower)) == found
    short = Benchmark("SPY", tuple(days[:CLOSES_MIN]), tuple(closes[:CLOSES_MIN]))
    assert regimes_by_day(short) == {}
    judged = {days[3]: "BEAR", days[-1]: "CHOP"}
    assert regimes_by_day(Benchmark("SPY", tuple(days), tuple(closes), judged)) == {**found, **judged}
