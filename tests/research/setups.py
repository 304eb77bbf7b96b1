"""Small markets and setups for tests of the backtest."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from rebalancer.core.rules import Rules
from rebalancer.market_data.sectors import SectorRow
from rebalancer.research.bar_times import closes_of_days
from rebalancer.research.market import NO_COSTS, CostModel, Fill, Floats, Instructions, Market, SimulationSetup
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import last_of_day
from rebalancer.research.reference_columns import reference_columns


def random_market(bars: int, names: int, seed: int = 1, gaps: float = 0.0) -> Market:
    """Days from 2024-01-02 on, weekends left out."""
    draw = np.random.default_rng(seed)
    days: list[date] = []
    day = date(2024, 1, 2)
    while len(days) < bars:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    close = 20 * np.exp(np.cumsum(draw.normal(0.0003, 0.015, (bars, names)), axis=0)) * draw.uniform(0.5, 8, names)
    close = np.round(close, 4)
    if gaps:
        close[draw.random((bars, names)) < gaps] = np.nan
        close[0] = np.where(np.isnan(close[0]), 50.0, close[0])
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    symbols = tuple(f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(names))
    return Market(symbols, closes_of_days(days), close, None, None, ordinals, last_of_day(ordinals))


def random_weights(market: Market, seed: int = 2, gross: float = 1.0) -> Floats:
    draw = np.random.default_rng(seed)
    raw = draw.random(market.close.shape)
    return np.asarray(np.round(gross * raw / raw.sum(axis=1, keepdims=True), 6))


def setup_of(
    market: Market,
    value: Floats,
    *,
    preset: str | None = "bare",
    rules: Rules | None = None,
    fill: Fill = "same_close",
    costs: CostModel = NO_COSTS,
    sectors: dict[str, SectorRow] | None = None,
) -> SimulationSetup:
    in_force, terms = with_preset(rules or Rules(), preset)
    return SimulationSetup(
        market,
        Instructions("targets", value),
        in_force,
        costs,
        100_000.0,
        fill,
        np.ones(len(market.times), dtype=bool),
        reference_columns(market, sectors or {}, in_force),
        terms,
    )
