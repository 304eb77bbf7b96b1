"""Breakdowns of an account's returns: months, rolling windows, worst drawdowns and the daily distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

from rebalancer.performance.benchmark import beta
from rebalancer.performance.ratios import sharpe, volatility

VOLATILITY_DAYS: Final = 20  # trading days: about a month
SHARPE_DAYS: Final = 60
DRAWDOWNS_MOST: Final = 5
STEPS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
BARS_MOST: Final = 16


class Year(NamedTuple):
    """The monthly returns of one year, January first; None for a month without data."""

    year: int
    months: tuple[float | None, ...]
    total: float


class Drawdown(NamedTuple):
    """One period below an earlier high: its first day below, its lowest day, the day of recovery (None: not yet), the
    depth (negative) and its length in days."""

    first: date
    lowest: date
    back: date | None
    depth: float
    days: int


class HistogramBar(NamedTuple):
    """The number of days with a return in [low, high)."""

    low: float
    high: float
    days: int


def years_of(days: Sequence[date], returns: Sequence[float]) -> tuple[Year, ...]:
    """Daily returns compounded by month and year."""
    found = []
    for year, own in groupby(zip(days, returns, strict=True), key=lambda pair: pair[0].year):
        pairs = list(own)
        months = tuple(_chained([r for d, r in pairs if d.month == month]) for month in range(1, 13))
        found.append(Year(year, months, _chained([r for _, r in pairs]) or 0.0))
    return tuple(found)


def rolling_volatility(returns: Sequence[float]) -> tuple[float | None, ...]:
    """The annualised volatility of the last `VOLATILITY_DAYS` days; None until there are that many."""
    window = VOLATILITY_DAYS
    series = np.array(returns, dtype=np.float64)
    return tuple(volatility(series[i - window : i]) if i >= window else None for i in range(1, series.size + 1))


def rolling_sharpe(returns: Sequence[float], risk_free: float = 0.0) -> tuple[float | None, ...]:
    """The Sharpe ratio of the last `SHARPE_DAYS` days; None until there are that many."""
    window = SHARPE_DAYS
    series = np.array(returns, dtype=np.float64)
    return tuple(sharpe(series[i - window : i], risk_free) if i >= window else None for i in range(1, series.size + 1))


def rolling_beta(returns: Sequence[float], benchmark: Sequence[float | None]) -> tuple[float | None, ...]:
    """The beta of the last `SHARPE_DAYS` days; None until there are that many with a close at both ends.

    benchmark: its value at the end of each day, on any scale.
    """
    window = SHARPE_DAYS
    mine = np.array(returns, dtype=np.float64)
    levels = np.array([np.nan if level is None else level for level in benchmark], dtype=np.float64)
    other = np.append(np.nan, levels[1:] / levels[:-1] - 1.0)
    found = list[float | None]()
    for end in range(1, mine.size + 1):
        theirs = other[max(end - window, 0) : end]
        known = theirs.size == window and not np.isnan(theirs).any()
        found.append(beta(mine[end - window : end], theirs) if known else None)
    return tuple(found)


def worst_drawdowns(
    days: Sequence[date],
    below: Sequence[float],
    at_mark: Sequence[bool] | None = None,
    most: int = DRAWDOWNS_MOST,
) -> tuple[Drawdown, ...]:
    """The deepest drawdowns, deepest first. below: the lowest point of each day, zero or less. at_mark: whether a day
    came back to its high after that point; None: it did when it was not below it at all."""
    recovered = [low >= 0.0 for low in below] if at_mark is None else at_mark
    found, places = list[Drawdown](), list[int]()
    for number, (low, back) in enumerate(zip(below, recovered, strict=True)):
        if low < 0.0:
            places.append(number)
        if places and back:
            found.append(_drawdown(days, below, places, days[number]))
            places = []
    if places:
        found.append(_drawdown(days, below, places, None))
    return tuple(sorted(found, key=lambda fall: (fall.depth, fall.first))[:most])


def _drawdown(days: Sequence[date], below: Sequence[float], places: Sequence[int], back: date | None) -> Drawdown:
    lowest = min(places, key=lambda i: below[i])
    return Drawdown(days[places[0]], days[lowest], back, below[lowest], len(places))


def distribution(returns: Sequence[float]) -> tuple[HistogramBar, ...]:
    """A histogram of daily returns with bins of equal width, the finest of `STEPS` that needs at most `BARS_MOST`."""
    if not returns:
        return ()
    low, high = min(returns), max(returns)
    step = next((s for s in STEPS if math.floor(high / s) - math.floor(low / s) < BARS_MOST), STEPS[-1])
    places = [math.floor(r / step) for r in returns]
    return tuple(HistogramBar(n * step, (n + 1) * step, places.count(n)) for n in range(min(places), max(places) + 1))


def _chained(returns: Sequence[float]) -> float | None:
    return math.prod(1.0 + r for r in returns) - 1.0 if returns else None
