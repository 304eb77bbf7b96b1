"""Daily closes with and without something to learn, as a market and as answers of Alpaca's bars."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np

from rebalancer.core.new_york import NEW_YORK
from rebalancer.research.market import Market
from rebalancer.research.price_files import PriceHistory

LAST = date(2026, 11, 19)


def history(names: int = 12, bars: int = 520, trend: float = 0.0, seed: int = 1, last: date = LAST) -> PriceHistory:
    """trend: how much of the mean of the last five days' moves comes again tomorrow; 0: nothing to learn."""
    draw = np.random.default_rng(seed).normal(0, 0.01, (bars, names))
    steps = draw.copy()
    for t in range(5, bars):
        steps[t] += trend * steps[t - 5 : t].mean(axis=0)
    close = 100 * np.exp(np.cumsum(steps, axis=0))
    days = weekdays(bars, last)
    symbols = tuple(f"N{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(names))
    moments = [datetime.combine(day, time(16), NEW_YORK) for day in days]
    times = np.array([int(moment.timestamp()) * 10**9 for moment in moments], dtype=np.int64)
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    return PriceHistory(Market(symbols, times, close, None, None, ordinals, np.ones(bars, bool)), True, "these prices")


def weekdays(count: int, last: date = LAST) -> list[date]:
    found = [last]
    while len(found) < count:
        day = found[-1] - timedelta(days=3 if found[-1].weekday() == 0 else 1)
        found.append(day)
    return found[::-1]


def closes(found: PriceHistory, symbol: str) -> dict[date, float]:
    place = found.market.symbols.index(symbol)
    days = [date.fromordinal(int(day)) for day in found.market.day]
    return dict(zip(days, map(float, found.market.close[:, place]), strict=True))
