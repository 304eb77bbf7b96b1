"""A simulated day at speed: waits are short and advance the embedded exchange's clock; cycles run in real time.

A cycle therefore sees what it would see on a real day, whatever the speed; only the time between cycles shrinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from rebalancer.ops.clock import SystemClock
from rebalancer.session.stop import Bell

PRICE_SECONDS: Final = 15.0
"""How far the embedded exchange's prices are apart: between two of them, a look at the positions finds what the last
one found."""


class MovableTime(Protocol):
    """A simulated clock that can be advanced."""

    def advance(self, seconds: float) -> None:
        """Advance by simulated seconds."""
        ...


class SimulatedClock:
    """The session's clock and alarm on a simulated exchange. Every `wait` takes 1/speed of its length."""

    def __init__(self, exchange: MovableTime, speed: float, bell: Bell) -> None:
        self._exchange, self._speed, self._bell = exchange, speed, bell
        self._real = SystemClock()
        self._ahead = 0.0

    def monotonic(self) -> float:
        """Simulated seconds: real ones plus those that were skipped."""
        return self._real.monotonic() + self._ahead

    def wall(self) -> datetime:
        """This machine's time plus what was skipped, so that it keeps step with `monotonic`."""
        return self._real.wall() + timedelta(seconds=self._ahead)

    def plan(self, moments: Sequence[datetime], now: datetime) -> None:
        """Nothing to plan: only this clock advances the exchange's time."""

    def wait(self, seconds: float) -> None:
        """Wait for part of the time and skip the rest, which still passes at the exchange."""
        began = self._real.monotonic()
        if self._bell.wait(seconds / self._speed):
            return
        skipped = max(seconds - (self._real.monotonic() - began), 0.0)
        self._exchange.advance(skipped)
        self._ahead += skipped
