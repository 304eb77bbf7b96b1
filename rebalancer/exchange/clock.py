"""The exchange's own clock: simulated time that runs while the exchange runs and stands still between its processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from rebalancer.exchange.calendar import MICROS, SessionTable, micros_of, moment_of

MINUTES_BEFORE_CLOSE: Final = 30
MINUTES_AFTER_OPEN: Final = 35
SPEED_MAX: Final = 100_000  # a trading day in a quarter of a second


class SimulatedClock:
    """Simulated time = base + elapsed monotonic time x speed. Safe to use from several threads; never runs back."""

    def __init__(self, base: datetime, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not speed >= 0:
            raise ValueError(f"clock speed {speed} is negative: 1 is real time, 0 stands still")
        self.speed = speed
        self._monotonic = monotonic
        self._base = micros_of(base)
        self._since = monotonic()
        self._lock = threading.Lock()

    def micros(self) -> int:
        """Simulated microseconds since 1970."""
        with self._lock:
            return self._base + int((self._monotonic() - self._since) * self.speed * MICROS)

    def now(self) -> datetime:
        """The simulated moment."""
        return moment_of(self.micros())

    def advance(self, seconds: float) -> None:
        """Step forward by simulated seconds. Raises ValueError for a negative step."""
        if not seconds >= 0:
            raise ValueError(f"cannot step the clock back by {-seconds} seconds")
        with self._lock:
            self._base += round(seconds * MICROS)

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from now on. Raises ValueError for a negative speed."""
        if not 0 <= speed <= SPEED_MAX:
            raise ValueError(f"clock speed {speed} is not between 0 and {SPEED_MAX}")
        with self._lock:
            now = self._monotonic()
            self._base += int((now - self._since) * self.speed * MICROS)
            self._since, self.speed = now, speed


def session_start_after(at: int, sessions: SessionTable) -> int:
    """The moment itself while a session has at least 30 minutes left, else 35 minutes after the next open."""
    current = sessions.current(at)
    if current is not None and current.close - at >= MINUTES_BEFORE_CLOSE * 60 * MICROS:
        return at
    return sessions.next_open(at).open + MINUTES_AFTER_OPEN * 60 * MICROS
