"""A clock that limits waiting: the end of a trading day must not be held up by a copy of its trades."""

from __future__ import annotations

from datetime import datetime

from rebalancer.ops.clock import Clock
from rebalancer.report.tradervue.client import TradervueUnavailable


class BoundedClock:
    """Another clock, with a deadline so many seconds from now."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self.deadline = clock.monotonic() + seconds

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait, or raise TradervueUnavailable at once when the wait would not end before the deadline."""
        if self._clock.monotonic() + seconds >= self.deadline:
            raise TradervueUnavailable(f"no more than {self._seconds:g} seconds are spent on it; it goes on next time")
        self._clock.wait(seconds)

    def wall(self) -> datetime:
        return self._clock.wall()
