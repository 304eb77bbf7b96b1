"""The risk of a book: cases by hand, and the covariance of pandas as the oracle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance.risk.common import Common, common_returns
from rebalancer.performance.risk.concentration import Concentration, concentration
from rebalancer.performance.risk.pairs import CorrelatedPair, closest_pairs
from rebalancer.performance.risk.volatility import book_volatility

MONDAY = date(2026, 6, 1)
WEEK = [MONDAY + timedelta(days=i) for i in range(5)]


def course(*closes: float | None, start: int = 0) -> dict[date, float]:
    """Closes of days in a row; None is a day without one."""
    return {MONDAY + timedelta(days=start + i): c for i, c in enumerate(closes) if c is not None}


def told(found: Common) -> tuple[object, ...]:
    return found.names, found.days, [[round(float(x), 9) for x in row] for row in found.returns], found.left_out


def test_one_name_has_all_its_days() -> None:
    found = common_returns({"A": course(100, 110, 99)}, 2, 9)
    assert told(found) == (("A",), tuple(WEEK[1:3]), [[0.1], [-0.1]], ())


def test_a_day_that_one_name_lacks_is_nobodys() -> None:
    found = common_returns({"A": course(100, 110, 99), "B": course(50, None, 60)}, 1, 9)
    assert told(found) == (("A", "B"), (WEEK[2],), [[-0.01, 0.2]], ())


def test_a_return_over_more_than_a_long_weekend_is_none() -> None:
    four, five = [100.0, None, None, None, 110.0], [100.0, None, None, None, None, 110.0, 121.0]
    assert told(common_returns({"A": course(*four)}, 1, 9)) == (("A",), (WEEK[4],), [[0.1]], ())
    assert told(common_returns({"A": course(*five)}, 1, 9)) == (("A",), (MONDAY + timedelta(6),), [[0.1]], ())


def test_only_the_newest_count() -> None:
    found = common_returns({"A": course(100, 110, 99, 198)}, 1, 2)
    assert told(found) == (("A",), (WEEK[2], WEEK[3]), [[-0.1], [1.0]], ())


def test_a_name_with_too_few_is_left_out() -> None:
    found = common_returns({"A": course(100, 110, 99), "B": course(1, 2), "C": {}}, 2, 9)
    assert told(found) == (("A",), (WEEK[1], WEEK[2]), [[0.1], [-0.1]], ("B", "C"))


def test_names_that_share_too_few_days_lose_the_shortest() -> None:
    found = common_returns(
        {"A": course(1, 1, 1), "B": course(1, 2, 2, 2, start=3), "C": course(5, 5, 5, 5, start=3)}, 2, 9
    )
    days = (WEEK[4], MONDAY + timedelta(5), MONDAY + timedelta(6))
    assert told(found) == (("B", "C"), days, [[1, 0], [0, 0], [0, 0]], ("A",))


def test_without_any_history_there_is_no_name() -> None:
    assert told(common_returns({"A": course(1)}, 1, 9)) == ((), (), [], ("A",))
    assert told(common_returns({}, 1, 9)) == ((), (), [], ())


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 0.1), (-1.0, 0.1), (0.5, 0.05), (0.0, 0.0), (2.0, 0.2)])
def test_the_volatility_of_one_name_is_its_own_by_weight(weight: float, expected: float) -> None:
    returns = np.array([[0.1], [-0.1], [0.0]])  # sample deviation 0.1
    found = book_volatility(np.array([weight]), returns)
    assert found == pytest.approx(expected * math.sqrt(252), abs=1e-15)


def test_a_short_of_the_same_course_hedges() -> None:
    returns = np.array([[0.1, 0.1], [-0.1, -0.1], [0.0, 0.0]])
    assert book_volatility(np.array([0.5, -0.5]), returns) == 0.0
    assert book_volatility(np.array([0.5, 0.5]), returns) == pytest.approx(0.1 * math.sqrt(252))


def test_two_names_by_hand() -> None:
    returns = np.array([[0.02, 0.00], [0.00, 0.02], [-0.02, -0.02]])  # variances 4e-4, covariance 2e-4
    found = book_volatility(np.array([0.6, -0.4]), returns)
    assert found == pytest.approx(math.sqrt((0.36 * 4e-4 + 0.16 * 4e-4 - 2 * 0.24 * 2e-4) * 252))
    assert closest_pairs(["A", "B"], returns, 3) == (CorrelatedPair("A", "B", pytest.approx(0.5)),)


def test_what_never_moves_has_no_volatility_and_no_pair() -> None:
    flat = np.zeros((3, 2))
    assert book_volatility(np.array([0.5, 0.5]), flat) == 0.0
    assert closest_pairs(["A", "B"], flat, 3) == ()
    assert closest_pairs(["A", "B"], np.array([[0.1, 0.01], [0.2, 0.01]]), 3) == ()


def test_fewer_than_two_days_say_nothing() -> None:
    for days in (0, 1):
        assert book_volatility(np.array([1.0, 1.0]), np.full((days, 2), 0.1)) is None
        assert closest_pairs(["A", "B"], np.full((days, 2), 0.1), 3) == ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"A": 0.0}, None),
        ({"A": -7.0}, Concentration("A", 1.0, 1.0, 1.0, 1.0)),
        ({"B": 3.0, "A": -3.0, "C": 0.0}, Concentration("A", 0.5, 1.0, 0.5, 2.0)),
        ({"A": 50.0, "B": -25.0, "C": 25.0}, Concentration("A", 0.5, 1.0, 0.375, 8 / 3)),
        (dict.fromkeys("ABCDEFGH", 1.0), Concentration("A", 0.125, 0.625, 0.125, 8.0)),
    ],
)
def test_concentration_by_hand(values: Mapping[str, float], expected: Concentration | None) -> None:
    assert concentration(values) == expected


@given(st.lists(st.floats(-1e9, 1e9).filter(lambda x: not 0 < abs(x) < 1e-3), min_size=1, max_size=30).filter(any))
def test_concentration_lies_within_its_bounds(values: list[float]) -> None:
    found = concentration({str(i): value for i, value in enumerate(values)})
    assert found is not None
    assert 1 / len(values) <= found.hhi * (1 + 1e-9)
    assert found.largest_share**2 <= found.hhi * (1 + 1e-9) <= found.largest_share * (1 + 2e-9)
    assert found.largest_share <= found.top_five * (1 + 1e-9) <= 1 + 1e-9
    assert found.hhi * found.effective == pytest.approx(1.0)


@st.composite
def books(draw: st.DrawFn) -> tuple[dict[str, dict[date, float]], list[float]]:
    """Two to five names over weekdays, each with days of its own missing, and signed weights."""
    days = [d for d in (MONDAY + timedelta(days=i) for i in range(40)) if d.weekday() < 5]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 5))
    common = rng.normal(0, 0.01, len(days))
    courses = {}
    for i in range(count):
        closes = 100 * np.cumprod(1 + common * rng.uniform(-1, 1) + rng.normal(0, 0.01, len(days)))
        gone = draw(st.sets(st.integers(0, len(days) - 1), max_size=2))
        courses[f"N{i}"] = {d: float(c) for j, (d, c) in enumerate(zip(days, closes, strict=True)) if j not in gone}
    return courses, draw(st.lists(st.floats(-2, 2), min_size=count, max_size=count))


@given(books())
def test_pandas_says_the_same(book: tuple[dict[str, dict[date, float]], list[float]]) -> None:
    courses, weights = book
    frame = pd.DataFrame({name: pd.Series(c) for name, c in courses.items()}).sort_index().dropna()
    days = pd.Series(frame.index, index=frame.index)
    returns = frame.pct_change()[(days - days.shift()) <= timedelta(days=4)]
    found = common_returns(courses, 2, 1000)
    assert found.names == tuple(frame.columns)
    assert found.days == tuple(returns.index)
    oracle = math.sqrt(max(np.array(weights) @ returns.cov().to_numpy() @ np.array(weights), 0.0) * 252)
    assert book_volatility(np.array(weights), found.returns) == pytest.approx(oracle, rel=1e-6, abs=1e-8)
    table = returns.corr().to_numpy()
    above = sorted((table[i, j] for i in range(len(table)) for j in range(i)), reverse=True)[:3]
    assert [pair.correlation for pair in closest_pairs(found.names, found.returns, 3)] == pytest.approx(above)
