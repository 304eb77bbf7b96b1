"""Amounts in the order of time, and their total at any moment without adding them up again."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from rebalancer.core.values import ZERO


class RunningTotal:
    """Exact totals by moment. Adding at the end takes constant time, a look-up the logarithm of the number."""

    __slots__ = ("_times", "_totals")

    def __init__(self) -> None:
        self._times: list[int] = []
        self._totals: list[Decimal] = []

    def add(self, at: int, amount: Decimal) -> None:
        """Add an amount at a moment, microseconds; usually none is later."""
        if not self._times or at >= self._times[-1]:
            self._times.append(at)
            self._totals.append((self._totals[-1] if self._totals else ZERO) + amount)
            return
        place = bisect_right(self._times, at)
        self._times.insert(place, at)
        self._totals.insert(place, self._totals[place - 1] if place else ZERO)
        for later in range(place, len(self._totals)):
            self._totals[later] += amount

    def count(self, at: int) -> int:
        """How many amounts there are up to a moment, inclusive."""
        return bisect_right(self._times, at)

    def total(self, at: int) -> Decimal:
        """The sum of all amounts up to a moment, inclusive."""
        place = bisect_right(self._times, at)
        return self._totals[place - 1] if place else ZERO
