"""Limit orders fill within their limit or not at all; nothing is held beyond `flat_by_minutes_before_close`; a drift
schedule trades the whole book or nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rebalancer.core.rules import Rules
from rebalancer.research.audit import audited
from rebalancer.research.bar_times import nanoseconds
from rebalancer.research.market import NO_COSTS, Instructions, Market, SimulationSetup
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import last_of_day
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import SimulatedRun, simulated

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def run(close: list[float], opened: list[float], weights: list[float], **changes: object) -> SimulatedRun:
    """One name, a bar every five minutes from the open on; filled at the next open, without limits or costs."""
    bars = len(close)
    times = np.array([nanoseconds(OPEN + timedelta(minutes=5 * i)) for i in range(bars)], np.int64)
    day = np.full(bars, OPEN.date().toordinal(), np.int64)
    prices = (np.array(column, np.float64)[:, None] for column in (close, opened))
    market = Market(("AAA",), times, *prices, None, day, last_of_day(day))
    rules, terms = with_preset(Rules(), "bare")
    for section, values in changes.items():
        rules = rules.model_copy(update={section: getattr(rules, section).model_copy(update=values)})
    said = Instructions("targets", np.array(weights)[:, None])
    every = np.ones(bars, dtype=bool)
    setup = SimulationSetup(
        market, said, rules, NO_COSTS, 100_000.0, "next_open", every, reference_columns(market, {}, rules), terms
    )
    found = simulated(setup, interpreted=True)
    assert audited(found).differences == 0
    return found


@pytest.mark.parametrize(
    ("opens", "filled"),
    [(100.5, True), (100.51, False), (99.0, True)],
)
def test_a_purchase_fills_at_or_below_its_limit(opens: float, filled: bool) -> None:
    limit = {"order_type": "limit", "limit_offset_bps": 50.0}
    found = run([100.0, 100.0], [100.0, opens], [0.5, 0.5], execution=limit)
    assert found.fills().price.tolist() == ([opens] if filled else [])


@pytest.mark.parametrize(("opens", "filled"), [(99.5, True), (99.49, False), (101.0, True)])
def test_a_sale_fills_at_or_above_its_limit(opens: float, filled: bool) -> None:
    limit = {"order_type": "limit", "limit_offset_bps": 50.0}
    found = run([100.0, 100.0, 100.0], [100.0, 100.0, opens], [0.5, 0.0, 0.0], execution=limit)
    assert (found.fills().shares < 0).tolist() == ([False, True] if filled else [False])


def test_the_account_is_flat_before_the_close() -> None:
    """Flat 350 minutes before 16:00, at 10:10: the cycle of then closes everything, and its orders fill a bar later;
    nothing is opened from 10:05 on."""
    flat = {"flat_by_minutes_before_close": 350}
    found = run([100.0] * 12, [100.0] * 12, [0.5] * 12, risk_management=flat)
    fills = found.fills()
    assert list(zip(fills.bar.tolist(), np.sign(fills.shares).tolist(), strict=True)) == [(1, 1.0), (9, -1.0)]
    assert found.result.outcomes["DENIED_FLAT_BY"] == 3
    assert found.account(11).shares == {}


def test_a_drift_schedule_waits() -> None:
    late = Rules.model_validate({"execution": {"schedule": "drift 0.1"}}).execution.schedule
    weights = [0.5, 0.55, 0.58, 0.65, 0.65]
    found = run([100.0] * 5, [100.0] * 5, weights, execution={"schedule": late})
    assert found.fills().bar.tolist() == [1, 4]
    counted = Counter(found.result.outcomes)
    assert (counted["PLANNED"], counted["HELD_WITHIN_BAND"]) == (2, 3)
