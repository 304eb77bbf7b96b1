"""The return of one day, adjusted for deposits and withdrawals: the formula of the whole series, without numpy."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.performance.records import DayValue


def day_return(before: Decimal, day: DayValue) -> float:
    """Modified Dietz: (equity - before - flow) / (before + weighted flow). A day that began with zero or negative
    capital has no meaningful return and counts as 0. before: the equity at the end of the day before, USD."""
    base = before + day.weighted_flow
    return float((day.equity - before - day.flow) / base) if base > 0 else 0.0
