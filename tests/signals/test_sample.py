"""The bundled sample: its shape, its size, and what it does not depend on."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.rules import Rules
from rebalancer.signals import sample_signals
from rebalancer.signals.sample import DAYS_MIN
from tests.signals.files import NOW
from tests.signals.markets import LAST, closes_of, market

NAN = math.nan


@pytest.mark.parametrize("seed", range(10))
def test_shape_of_a_market_of_forty(seed: int) -> None:
    found = sample_signals(market(seed=seed), NOW)
    assert [s.symbol for s in found] == [f"S{i:03}" for i in range(40)]
    clear = [s for s in found if abs(s.score * s.confidence) >= Rules().execution.signal_threshold]
    assert 6 <= sum(s.score > 0 for s in clear) <= 9
    assert 6 <= sum(s.score < 0 for s in clear) <= 9
    assert all(abs(s.score) < 0.1 for s in found if s not in clear)


@pytest.mark.parametrize("seed", range(10))
def test_no_target_is_above_five_percent_of_capital(seed: int) -> None:
    sizing = Rules().position_sizing
    for s in sample_signals(market(names=200, seed=seed), NOW):
        assert sizing.base_position_size * abs(s.score) * s.confidence * sizing.volatility_scale_max <= 0.045 + 1e-12


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 8).flatmap(
        lambda n: st.lists(
            st.lists(
                st.one_of(st.floats(0.01, 1e6), st.sampled_from([NAN, math.inf, 0.0, -1.0, 1e-300, 1e300])),
                min_size=4,
                max_size=4,
            ),
            min_size=n,
            max_size=n,
        )
    )
)
def test_any_closes_give_bounded_signals(levels: list[list[float]]) -> None:
    rows = {f"S{i}": tuple(level[d * 4 // 140] for d in range(140)) for i, level in enumerate(levels)}
    for s in sample_signals(closes_of(rows), NOW):
        assert abs(s.score) <= 0.6
        assert 0.3 <= s.confidence <= 0.5
        assert s.issued_at == NOW


def test_momentum_leads_and_reversal_follows() -> None:
    """A long rise is bought, a long fall is sold; of two equal rises the one that just dipped ranks higher."""
    days = 140
    flat = {f"F{i}": (100.0 + i,) * days for i in range(7)}
    rise = tuple(100 * 1.005**d for d in range(days))
    fall = tuple(100 * 0.995**d for d in range(days))
    dipped = (*rise[:-5], *(rise[-6] * 0.99**d for d in range(1, 6)))
    scores = {
        s.symbol: s.score for s in sample_signals(closes_of({**flat, "UP": rise, "DOWN": fall, "DIP": dipped}), NOW)
    }
    assert scores["DIP"] > scores["UP"] > 0
    assert scores["DOWN"] == min(scores.values()) < -0.4


def test_unchanged_day_gives_the_same_signals() -> None:
    closes = market()
    morning, later = sample_signals(closes, NOW), sample_signals(closes, NOW + timedelta(hours=3))
    assert [s._replace(issued_at=NOW) for s in later] == list(morning)
    assert {s.issued_at for s in later} == {NOW + timedelta(hours=3)}


def test_today_is_not_complete_and_does_not_count() -> None:
    closes = market()
    today = DailyCloses(
        closes.symbols, (*closes.days, LAST + timedelta(days=1)), {s: (*row, 1.0) for s, row in closes.closes.items()}
    )
    assert sample_signals(today, NOW) == sample_signals(closes, NOW)
    assert {s.id for s in sample_signals(today, NOW + timedelta(days=1))}.isdisjoint(
        s.id for s in sample_signals(closes, NOW)
    )


def test_order_of_names_does_not_matter() -> None:
    closes = market()
    turned = DailyCloses(closes.symbols[::-1], closes.days, dict(list(closes.closes.items())[::-1]))
    assert sample_signals(turned, NOW) == sample_signals(closes, NOW)


def test_equal_names_are_neutral() -> None:
    found = sample_signals(closes_of(dict.fromkeys("ABC", (100.0,) * 140)), NOW)
    assert [(s.symbol, s.score) for s in found] == [("A", 0.0), ("B", 0.0), ("C", 0.0)]


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ((100.0,) * 140, True),
        ((NAN,) * 14 + (100.0,) * DAYS_MIN, True),
        ((NAN,) * 15 + (100.0,) * (DAYS_MIN - 1), False),
        ((100.0,) * 137 + (NAN,) * 3, True),
        ((100.0,) * 135 + (NAN,) * 5, False),
        ((100.0, NAN) * 70, False),
        ((100.0,) * 60 + (NAN,) * 20 + (100.0,) * 60, True),
        ((NAN,) * 140, False),
    ],
)
def test_history_that_counts(row: tuple[float, ...], counts: bool) -> None:
    found = sample_signals(closes_of({"A": row, "B": tuple(np.linspace(1, 2, 140).tolist())}), NOW)
    assert [s.symbol for s in found] == (["A", "B"] if counts else ["B"])


def test_too_few_days_or_no_names_give_nothing() -> None:
    assert len(sample_signals(market(days=DAYS_MIN), NOW)) == 40
    assert sample_signals(market(days=DAYS_MIN - 1), NOW) == ()
    assert sample_signals(DailyCloses((), market().days, {}), NOW) == ()


def test_longer_history_is_more_confident() -> None:
    rows = dict(market(names=3).closes)
    rows["S000"] = (NAN,) * 100 + rows["S000"][100:]
    short = {s.symbol: s.confidence for s in sample_signals(closes_of(rows), NOW)}
    full = {s.symbol: s.confidence for s in sample_signals(market(names=3), NOW)}
    assert short["S000"] < full["S000"]
    assert short["S001"] == full["S001"]
