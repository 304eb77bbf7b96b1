"""How far an account is below its high-water mark: one series for the pages, the screens and the exports.

The mark is the highest equity that any reading has seen, moved by deposits and withdrawals: the one that the drawdown
limit uses. It rises within the day, so a series of closes alone would show a smaller fall than the one that stopped
trading. Days without a reading (older journals, backtests) count with their daily close.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import ZERO


class MarkReading(NamedTuple):
    """The equity at one moment, and the high-water mark then, USD."""

    at: datetime
    equity: Decimal
    mark: Decimal


class DrawdownSeries(NamedTuple):
    """`lows` has the lowest point of each day as a fraction of the mark, zero or less; `at_mark` whether the account
    was at its mark at that point of the day or after it. `now` is the last reading, `worst` the lowest of `lows`,
    `mark` the mark in USD; None when not known."""

    lows: tuple[float, ...]
    at_mark: tuple[bool, ...]
    now: float | None
    worst: float | None
    mark: Decimal | None


def below_mark(equity: Decimal | None, mark: Decimal | None) -> float | None:
    """The distance from the mark as a fraction of it, zero or less; None when either is not known."""
    if equity is None or mark is None or mark <= ZERO:
        return None
    return float(min(equity / mark - 1, ZERO))


def drawdown_series(days: Sequence[date], readings: Sequence[MarkReading], by_close: Sequence[float]) -> DrawdownSeries:
    """The series over these days. by_close: the drawdown at the close of each day, for days without a reading."""
    found: dict[date, list[float]] = {}
    newest: MarkReading | None = None
    for one in readings:
        below = below_mark(one.equity, one.mark)
        if below is not None:
            found.setdefault(day_in_new_york(one.at), []).append(below)
            newest = one
    courses = [found.get(day, [closed]) for day, closed in zip(days, by_close, strict=True)]
    lows = tuple(min(course) for course in courses)
    at_mark = tuple(0.0 in course[course.index(min(course)) :] for course in courses)
    now = by_close[-1] if by_close else None
    if newest is not None and (not days or day_in_new_york(newest.at) >= days[-1]):
        now = below_mark(newest.equity, newest.mark)
    return DrawdownSeries(lows, at_mark, now, min(lows, default=None), None if newest is None else newest.mark)
