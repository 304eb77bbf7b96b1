"""Returns of an account into which money is paid and from which it is taken: neither is ever profit or loss.

Time-weighted: what one dollar did that was there all the time. The day is the period; a flow counts at its beginning
(Bacon, Practical Portfolio Performance Measurement and Attribution, 2nd ed., section 2.4).
Money-weighted: the one yearly rate at which all payments grow to what is there (internal rate of return, 365 days).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATE_LOW: Final = -0.999999
RATE_HIGH: Final = 1e6
STEPS_MAX: Final = 200
DAYS_A_YEAR: Final = 365.0


class EquityDay(NamedTuple):
    """One day of the account: its equity at the end, and what was paid in (+) or out (-) during it. USD."""

    day: date
    equity: Decimal
    flow: Decimal


def daily_returns(opening: Decimal, days: Sequence[EquityDay]) -> Floats:
    """One return a day: (equity - flow) / equity of the day before - 1. Shape (len(days),).

    A day that begins without equity has no return of its own: it is 0, whatever was paid in.
    """
    found: list[float] = []
    before = opening
    for day in days:
        base = before + max(day.flow, Decimal(0)) if before <= 0 else before
        gained = day.equity - day.flow - before if before > 0 else day.equity - base
        found.append(float(gained / base) if base > 0 else 0.0)
        before = day.equity
    return np.array(found, dtype=np.float64)


def growth(returns: Floats) -> Floats:
    """What one dollar became, after every day. Shape as `returns`."""
    return np.asarray(np.cumprod(1.0 + returns), dtype=np.float64)


def total_return(returns: Floats) -> float | None:
    """The time-weighted return of the whole time; None without a day."""
    return float(np.prod(1.0 + returns) - 1.0) if returns.size else None


def drawdowns(returns: Floats) -> Floats:
    """How far below its highest value the account was after every day: 0 or negative. The start counts as a peak."""
    path = growth(returns)
    peaks = np.maximum.accumulate(np.maximum(path, 1.0))
    return np.asarray(path / peaks - 1.0, dtype=np.float64)


def money_weighted(opening: Decimal, days: Sequence[EquityDay]) -> float | None:
    """The yearly rate of all payments; None for less than two days, nothing paid in, or no rate that fits.

    The equity before the first day counts as paid in at its beginning, a flow at the beginning of its day.
    """
    if len(days) < 2:
        return None
    start, end = days[0].day, days[-1].day
    payments = [(0.0, float(opening))] + [
        ((day.day - start).days / DAYS_A_YEAR, float(day.flow)) for day in days if day.flow != 0
    ]
    years = ((end - start).days + 1) / DAYS_A_YEAR
    final = float(days[-1].equity)
    if not any(amount > 0 for _, amount in payments):
        return None

    def missing(rate: float) -> float:
        worth = sum(amount * math.exp((years - at) * math.log1p(rate)) for at, amount in payments)
        return worth - final

    low, high = RATE_LOW, 1.0
    while missing(high) < 0 and high < RATE_HIGH:
        high *= 10
    if missing(low) > 0 or missing(high) < 0:
        return None
    for _ in range(STEPS_MAX):
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) < 0 else (low, middle)
    return (low + high) / 2
