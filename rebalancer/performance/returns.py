"""Returns adjusted for deposits and withdrawals: time-weighted by day, money-weighted over the period.

Time-weighted: Modified Dietz for each day, then compounded (GIPS 2020, 2.A.24-33 allow it for daily values). It
measures the strategy, independently of deposits and withdrawals. Money-weighted: the internal rate of return, which
measures the result of the owner's dollars, including the timing of flows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.performance.day_return import day_return
from rebalancer.performance.records import DayValue

Series = NDArray[np.float64]
YEAR_DAYS: Final = 365.0
_HALVINGS: Final = 200
_GROWTH_MOST: Final = 1e9


def daily_returns(opening: Decimal | None, days: Sequence[DayValue]) -> Series:
    """Daily returns adjusted for flows, one `day_return` per day.

    opening: the equity before the first day; None: the first day has no return and is left out.
    """
    before, found = opening, list[float]()
    for day in days:
        if before is not None:
            found.append(day_return(before, day))
        before = day.equity
    return np.array(found, dtype=np.float64)


def time_weighted(returns: Series) -> float | None:
    """All daily returns compounded; None without any."""
    return float(np.prod(1.0 + returns) - 1.0) if returns.size else None


def growth(returns: Series) -> Series:
    """The value of one dollar over time: 1.0, then one value per day; shape (n + 1,)."""
    return np.concatenate((np.ones(1), np.cumprod(1.0 + returns)))


def drawdowns(returns: Series) -> Series:
    """The fraction below the highest value so far, zero or less, shape (n,); the start counts as a high."""
    course = growth(returns)
    high = np.maximum.accumulate(course)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(high > 0, course / high - 1.0, -1.0)[1:]


def money_weighted(opening: Decimal, opened_on: date, days: Sequence[DayValue]) -> float | None:
    """The internal rate of return over the whole period (not annualised): the rate at which the opening equity and the
    flows, each from its own day on, would have grown to the closing equity.

    None when there is no such rate: nothing was invested, everything was lost, or flows of both signs leave no root
    between a total loss and billionfold growth. If there are several roots, the one nearest to zero return.
    """
    if not days:
        return None
    span = (days[-1].day - opened_on).days or 1
    weighted = [(float(opening), 1.0)]
    # a flow before the open is invested one day longer than one after the close
    weighted += [(float(d.flow), ((days[-1].day - d.day).days + _share_left(d)) / span) for d in days if d.flow]
    amounts, left = np.array([a for a, _ in weighted]), np.array([t for _, t in weighted])
    closing = float(days[-1].equity)
    if not np.any(amounts > 0):
        return None

    def missing(logarithm: float) -> float:
        return float(np.sum(amounts * np.exp(logarithm * left)) - closing)

    root = _root(missing)
    return None if root is None else float(np.expm1(root))


def annual(total: float | None, opened_on: date, closed_on: date) -> float | None:
    """The annual rate equivalent to a return over a span of calendar days; None for less than a year, where it would be
    an extrapolation."""
    span = (closed_on - opened_on).days
    if total is None or span < YEAR_DAYS or total <= -1.0:
        return None
    return float((1.0 + total) ** (YEAR_DAYS / span) - 1.0)


def _share_left(day: DayValue) -> float:
    return min(max(float(day.weighted_flow / day.flow), 0.0), 1.0)


def _root(missing: Callable[[float], float]) -> float | None:
    """The root nearest to 0 of a continuous function of log growth: bracketed, then found by bisection."""
    if missing(0.0) == 0.0:
        return 0.0
    most = float(np.log(_GROWTH_MOST))
    steps = np.concatenate((np.linspace(0, 1, 101), np.linspace(1, most, 201)[1:]))
    here = {1: missing(0.0), -1: missing(0.0)}
    for inner, outer in pairwise(steps):
        for side in (1, -1):
            value = missing(side * outer)
            if np.isfinite(value) and value * here[side] <= 0.0:
                return _halved(missing, side * inner, side * outer)
            here[side] = value
    return None


def _halved(missing: Callable[[float], float], low: float, high: float) -> float:
    sign = missing(low) > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if (missing(middle) > 0) == sign else (low, middle)
    return (low + high) / 2
