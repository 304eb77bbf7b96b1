"""The broker's time between two answers: the last time that it told, plus what a monotonic clock measured since.

`/v2/clock` is the authority. The `Date` header of other answers keeps it right after the machine slept; a simulated
broker may live in another year than its web server, so the distance between the two is remembered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_TOLERANCE: Final = timedelta(seconds=2)  # `Date` is cut to whole seconds and travels


class BrokerTime:
    """Remember what the broker said the time is. For any number of threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told: tuple[datetime, float] | None = None
        self._ahead = timedelta(0)  # broker's clock minus its Date header

    def now(self) -> datetime | None:
        """The broker's time, UTC; None while it has told nothing."""
        with self._lock:
            return self._estimate()

    def heard_date(self, header: str | None, took_seconds: float = 0.0) -> datetime | None:
        """Take in the Date header of any answer, and return it as a time; None when there is no readable one.

        took_seconds: since the request began. The header was written at some moment of it, so an estimate that lies up
        to so much later is not contradicted: the machine may have slept between the answer's arrival and this call.
        """
        date = _date_of(header)
        if date is not None:
            with self._lock:
                estimate, told = self._estimate(), date + self._ahead
                latest = told + timedelta(seconds=took_seconds) + _TOLERANCE
                if estimate is None or not told - _TOLERANCE <= estimate <= latest:
                    self._told = (told, self._monotonic())
        return date

    def heard_clock(self, timestamp: datetime, header: str | None) -> None:
        """Take in the answer of the broker's clock and the Date header it came with."""
        date = _date_of(header)
        with self._lock:
            ahead = timedelta(0) if date is None else timestamp - date
            self._ahead = ahead if abs(ahead) > _TOLERANCE else timedelta(0)
            self._told = (timestamp, self._monotonic())

    def _estimate(self) -> datetime | None:
        if self._told is None:
            return None
        moment, at = self._told
        return moment + timedelta(seconds=self._monotonic() - at)


def _date_of(header: str | None) -> datetime | None:
    if not header:
        return None
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
