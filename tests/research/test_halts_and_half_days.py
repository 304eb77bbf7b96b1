"""Halts and half days: nothing trades without a price, and a short session ends at its own close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rebalancer.core.rules import Rules
from rebalancer.research.bar_times import moment_at, nanoseconds
from rebalancer.research.columns_of import engine_input
from rebalancer.research.cycles import cycles_of
from rebalancer.research.exposure import stale_marks
from rebalancer.research.market import Market
from rebalancer.research.price_files import last_of_day
from rebalancer.research.simulate import simulated
from tests.research.setups import random_market, setup_of

NAN = float("nan")
DAYS = {"2026-11-25": 6.5, "2026-11-27": 3.5, "2026-11-30": 6.5}  # the second closes at 13:00


def sessions() -> Market:
    """Bars of five minutes of three trading days."""
    moments = [
        datetime.fromisoformat(f"{day}T14:30:00+00:00") + timedelta(minutes=5 * k)
        for day, hours in DAYS.items()
        for k in range(1, int(hours * 12) + 1)
    ]
    day = np.array([one.date().toordinal() for one in moments], np.int64)
    times = np.array([nanoseconds(one) for one in moments], np.int64)
    return Market(("AAA",), times, np.full((len(times), 1), 10.0), None, None, day, last_of_day(day))


@pytest.mark.parametrize(
    ("schedule", "slots"),
    [
        ("daily 15:45", ["2026-11-25T20:45", "2026-11-27T17:45", "2026-11-30T20:45"]),
        ("weekly last 15:45", ["2026-11-27T17:45", "2026-11-30T20:45"]),
    ],
)
def test_the_slot_of_a_half_day_keeps_its_distance_to_the_close(schedule: str, slots: list[str]) -> None:
    market = sessions()
    rules = Rules.model_validate({"execution": {"schedule": schedule}})
    found = cycles_of(market, rules, "every_bar", np.ones(len(market.times), dtype=bool))
    assert [f"{moment_at(int(ns)):%Y-%m-%dT%H:%M}" for ns in market.times[found]] == slots


def test_flat_by_the_close_of_a_half_day() -> None:
    market = sessions()
    rules = Rules.model_validate({"risk_management": {"flat_by_minutes_before_close": 30}})
    spare = engine_input(setup_of(market, np.full((len(market.times), 1), 0.5), preset=None, rules=rules)).tape.spare
    begins = [moment_at(int(ns)).astimezone(UTC) for ns in market.times[np.asarray(spare) == 0]]
    assert [f"{at:%d %H:%M}" for at in begins if at.minute == 30] == ["25 20:30", "27 17:30", "30 20:30"]


def test_a_halted_name_is_not_traded_and_keeps_its_value() -> None:
    market = random_market(6, 2)
    market.close[:] = [[50, 20], [50, 20], [NAN, 20], [NAN, 40], [60, 40], [60, 40]]
    weights = np.array([[0.5, 0.5], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8]])
    run = simulated(setup_of(market, weights, fill="next_close"), interpreted=True)
    fills = run.fills()
    assert not np.isin(fills.bar[fills.name == 0], [2, 3]).any()
    assert {1, 5} <= set(fills.bar[fills.name == 0].tolist())  # the sale of bar 1 is dropped, and decided anew at bar 4
    assert run.result.outcomes["REJECTED_NO_PRICE"] == 2
    assert stale_marks(fills, market.close, run.events()) == 2
    assert run.account(3).shares["SAA"] == 1000
