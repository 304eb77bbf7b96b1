"""Regulatory fees by day: the rate of the day of the sale, rounded up per fill."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, Decimal

import numpy as np
import pytest

from rebalancer.core.rules import Rules
from rebalancer.research.bar_times import closes_of_days
from rebalancer.research.fee_rates import SECTION_31, TRADING_ACTIVITY, changes, fee_rates
from rebalancer.research.market import CostModel, Instructions, Market, SimulationSetup
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import last_of_day
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import simulated


@pytest.mark.parametrize(
    ("day", "of_million", "a_share"),
    [
        ("2001-01-02", "22.40", "0.000119"), ("2024-05-21", "8.00", "0.000166"), ("2024-05-22", "27.80", "0.000166"),
        ("2025-05-13", "27.80", "0.000166"), ("2025-05-14", "0", "0.000166"), ("2026-04-03", "0", "0.000195"),
        ("2026-04-04", "20.60", "0.000195"), ("2030-01-02", "20.60", "0.000195"),
    ],
)  # fmt: skip
def test_the_rates_of_a_day(day: str, of_million: str, a_share: str) -> None:
    found = fee_rates(date.fromisoformat(day).toordinal())
    assert (found.of_value * 1_000_000, found.a_share) == (Decimal(of_million), Decimal(a_share))


def test_the_tables_ascend() -> None:
    for table in (SECTION_31, TRADING_ACTIVITY):
        days = [row[0] for row in table]
        assert days == sorted(set(days))
    assert len(changes()) == len(SECTION_31) + len(TRADING_ACTIVITY)


def test_every_sale_pays_the_fees_of_its_day() -> None:
    """A thousand shares are bought and sold by turns around the days on which rates change."""
    days = [date.fromisoformat(d) for d in ("2025-05-12", "2025-05-13", "2025-05-14", "2025-05-15", "2026-04-06")]
    ordinals = np.array([day.toordinal() for day in days], np.int64)
    market = Market(("AAA",), closes_of_days(days), np.full((5, 1), 100.0), None, None, ordinals, last_of_day(ordinals))
    rules, terms = with_preset(Rules(), "bare")
    said = Instructions("targets", np.array([[1.0], [0.0], [1.0], [0.0], [-1.0]]))
    costs = CostModel(0.0, 0.0, float("inf"), True, 0.0, 0.0)
    run = simulated(
        SimulationSetup(
            market, said, rules, costs, 100_000.0, "same_close", np.ones(5, dtype=bool),
            reference_columns(market, {}, rules), terms,
        ),
        interpreted=True, bars_at_once=10**6,
    )  # fmt: skip
    fills = run.fills()
    expected = []
    for bar, shares in zip(fills.bar.tolist(), fills.shares.tolist(), strict=True):
        rates, sold = fee_rates(int(ordinals[bar])), max(Decimal(-shares), Decimal(0))
        parts = (sold * 100 * rates.of_value, min(sold * rates.a_share, rates.a_share_most))
        expected.append(sum(float(part.quantize(Decimal("0.01"), ROUND_CEILING)) for part in parts))
    assert fills.bar.tolist() == [0, 1, 2, 3, 4]
    assert fills.cost.tolist() == pytest.approx(expected, abs=0.0100001)
    assert fills.cost[1] > 2.78 > fills.cost[3] > 0
