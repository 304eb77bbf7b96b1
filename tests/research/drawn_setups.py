"""Whole setups of a backtest, drawn from a seed: markets, instructions, rules under which most limits bind now and
then, stops and targets."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from rebalancer.core.rules import Rules
from rebalancer.research import tape as tape_rows
from rebalancer.research.market import (
    NO_COSTS,
    CostModel,
    Fill,
    Floats,
    Instructions,
    Market,
    RecordedExits,
    SimulationSetup,
)
from rebalancer.research.reference_columns import reference_columns

FIVE_MINUTES, DAY = 300 * 10**9, 86_400 * 10**9
BEGIN = 1_767_623_400 * 10**9  # 2026-01-05 14:30 UTC, a Monday


def market(rng: np.random.Generator, bars: int, names: int, *, gaps: float = 0.0, a_day: int = 13) -> Market:
    """Prices in cents, a few missing, volumes small enough to matter; mostly with highs and lows."""
    path = np.exp(np.cumsum(rng.normal(0, 0.01, (bars, names)), 0)) * np.exp(rng.normal(3, 1, names))
    close = np.maximum(np.rint(path * 100), 1) / 100
    close[rng.random(close.shape) < gaps] = np.nan
    number = np.arange(bars)
    times = BEGIN + number // a_day * DAY + number % a_day * FIVE_MINUTES
    days = number // a_day
    found = Market(
        symbols=tuple(f"S{i:02d}" for i in range(names)),
        times=times.astype(np.int64),
        close=close,
        open=np.maximum(np.rint(path * rng.uniform(0.99, 1.01, path.shape) * 100), 1) / 100,
        volume=np.rint(rng.uniform(0, 3000, close.shape)),
        day=days.astype(np.int64),
        is_last_of_day=np.append(np.diff(days) != 0, True),
    )
    return with_ranges(rng, found) if rng.random() < 0.7 else found


def with_ranges(rng: np.random.Generator, of: Market) -> Market:
    """The market with highs and lows, up to two per cent beyond open and close."""
    assert of.open is not None
    down, up = (rng.uniform(0, 0.02, of.close.shape) for _ in range(2))
    low = np.maximum(np.round(np.fmin(of.close, of.open) * (1 - down), 2), 0.01)
    vwap = np.round((of.close + of.open) / 2, 2)
    return of._replace(low=low, vwap=vwap, high=np.round(np.fmax(of.close, of.open) * (1 + up), 2))


def instructions(rng: np.random.Generator, of: Market) -> Instructions:
    """Drifting scores or target weights, some of them missing."""
    shape = of.close.shape
    value = np.sin(np.cumsum(rng.normal(0, 0.3, shape), 0))
    value[rng.random(shape) < 0.1] = np.nan
    if rng.random() < 0.5:
        return Instructions("targets", np.round(value / shape[1], 4))
    found = Instructions("scores", np.round(value, 3), np.round(rng.uniform(0, 1, shape), 2))
    return with_named_exits(rng, found, of) if rng.random() < 0.5 else found


def with_named_exits(rng: np.random.Generator, told: Instructions, of: Market) -> Instructions:
    """The scores with stop and target prices, some on the wrong side, some missing."""
    last = of.close.copy()
    for t in range(1, len(last)):
        last[t] = np.where(np.isnan(last[t]), last[t - 1], last[t])
    prices: list[Floats] = []
    for away, part in ((rng.uniform(-0.005, 0.03, last.shape), 0.3), (rng.uniform(-0.03, 0.0, last.shape), 0.5)):
        price = np.round(last * np.where(told.value > 0, 1 - away, 1 + away), 2)
        price[(rng.random(last.shape) < part) | ~(price > 0)] = np.nan
        prices.append(price)
    return told._replace(stop=prices[0], goal=prices[1])


def said_at(rng: np.random.Generator, of: Market) -> Any:
    """When things were said: at their bar, or for all or for each at some bars."""
    shape = [None, (len(of.times),), of.close.shape][int(rng.integers(0, 3))]
    if shape is None:
        return None
    times = of.times if len(shape) == 1 else of.times[:, None]
    spoken = np.where(rng.random(shape) < 0.2, times - 30 * 10**9, of.times[0] - 10**9)
    return np.maximum.accumulate(spoken, axis=0).astype(np.int64)


def rules(rng: np.random.Generator) -> Rules:
    """Rules under which most limits bind now and then."""
    limits = bool(rng.random() < 0.4)
    return Rules.model_validate(
        {
            "execution": {
                "max_orders_per_execution": int(rng.choice([2, 5, 50])),
                "schedule": [None, None, "drift 0.02", "drift 0.1"][int(rng.integers(0, 4))],
                "order_type": "limit" if limits else "market",
                "limit_offset_bps": float(rng.choice([0, 2.5, 40])),
            },
            "position_sizing": {
                "capital_scaling": float(rng.choice([1.0, 2.0])),
                "allow_short": bool(rng.random() < 0.5),
                "fractional": bool(rng.random() < 0.5),
                "max_trade_size": str(rng.choice([2_000, 50_000])),
                "max_order_value": "50000",
            },
            "risk_management": {
                "max_orders_per_day": int(rng.choice([10, 500])),
                "max_daily_loss": float(rng.choice([0.01, 0.2])),
                "max_drawdown": float(rng.choice([0.05, 1.0])),
                "on_breach": str(rng.choice(["reduce_only", "flatten"])),
                "max_positions": [None, 3][int(rng.integers(0, 2))],
                "max_overnight_leverage": float(rng.choice([0.5, 1.9])),
                "flat_by_minutes_before_close": [None, None, 330, 345][0 if limits else int(rng.integers(0, 4))],
            },
            "protection": {
                "mode": ["off", "monitor", "broker"][int(rng.integers(0, 3))],
                "stop_loss": float(rng.choice([0.01, 0.02, 0.03])),
                "take_profit": float(rng.choice([0.01, 0.03])),
                "stop_type": str(rng.choice(["stop", "stop_limit"])),
                "stop_limit_offset_bps": float(rng.choice([0, 20, 50])),
                "cool_off": ["session", "none", 10, 600][int(rng.integers(0, 4))],
                "cool_off_lifted_by_newer_signal": bool(rng.random() < 0.5),
            },
            "signals": {"max_age_minutes": 44_000, "min_confidence": float(rng.choice([0, 0, 0.3]))},
        }
    )


def setup_of(of: Market, told: Instructions, by: Rules, **changes: Any) -> SimulationSetup:
    """A setup with usual costs, filled at the close after, 50,000 USD; every bar is a cycle."""
    every = np.ones(len(of.times), bool)
    found = SimulationSetup(of, told, by, CostModel(), 50_000.0, "next_close", every, reference_columns(of, {}, by))
    return found._replace(**changes)


def drawn(seed: int) -> SimulationSetup:
    """A whole setup from a seed."""
    rng = np.random.default_rng(seed)
    of = market(rng, int(rng.integers(5, 80)), int(rng.integers(1, 12)), gaps=float(rng.choice([0.0, 0.05, 0.4])))
    by, told = rules(rng), instructions(rng, of)
    told = told._replace(said=said_at(rng, of))
    fills = [fill for fill in get_args(Fill) if fill != "next_vwap" or of.vwap is not None]
    fill: Fill = str(rng.choice(fills))  # type: ignore[assignment]  # one of them
    found = setup_of(of, told, by, fill=fill, costs=CostModel() if rng.random() < 0.7 else NO_COSTS)
    return with_recorded_exits(rng, found) if fill == "same_close" and rng.random() < 0.4 else found


def with_recorded_exits(rng: np.random.Generator, of: SimulationSetup) -> SimulationSetup:
    """The setup with exits as a journal tells them, for all of a position or a part of it, some at no known price."""
    close, times, count = of.market.close, of.market.times, int(rng.integers(0, 2 * len(of.market.times)))
    bar = np.sort(rng.integers(0, len(times), count)).astype(np.int64)
    name = rng.integers(0, close.shape[1], count).astype(np.int64)
    price = np.round(close[bar, name] * rng.uniform(0.98, 1.02, count), 2)
    price[rng.random(count) < 0.1] = np.nan
    shares = np.where(rng.random(count) < 0.7, 1e6, np.rint(rng.uniform(0, 40, count)))
    kind = rng.integers(0, 2 * tape_rows.COUNTED, count).astype(np.int64)
    exits = RecordedExits(bar, name, shares, price, kind, times[bar] - 10**9)
    return of._replace(worth=np.zeros(len(times), np.int64), exits=exits)
