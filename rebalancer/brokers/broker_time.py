"""The broker's time between two responses: the last time it reported, plus the time elapsed on a monotonic clock.

`/v2/clock` is the authority. The `Date` header of other responses corrects the estimate after the machine was
suspended; a simulated broker's clock may be years away from its web server's, so the offset between them is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_TOLERANCE: Final = timedelta(seconds=2)  # `Date` is truncated to whole seconds and delayed by the network


class BrokerTime:
    """Tracks the broker's time. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._reported: tuple[datetime, float] | None = None
        self._ahead = timedelta(0)  # broker's clock minus its Date header

    def now(self) -> datetime | None:
        """The broker's time, UTC; None until it has reported one."""
        with self._lock:
            return self._estimate()

    def heard_date(self, header: str | None, took_seconds: float = 0.0) -> datetime | None:
        """Process the Date header of any response, and return it as a time; None when there is no readable one.

        took_seconds: time since the request began. The header was written during that time, so an estimate that is up
        to that much later is not contradicted: the machine may have been suspended between the response's arrival and
        this call.
        """
        date = _date_of(header)
        if date is not None:
            with self._lock:
                estimate, reported = self._estimate(), date + self._ahead
                latest = reported + timedelta(seconds=took_seconds) + _TOLERANCE
                if estimate is None or not reported - _TOLERANCE <= estimate <= latest:
                    self._reported = (reported, self._monotonic())
        return date

    def heard_clock(self, timestamp: datetime, header: str | None) -> None:
        """Process a response of the broker's clock endpoint and the Date header it came with."""
        date = _date_of(header)
        with self._lock:
            ahead = timedelta(0) if date is None else timestamp - date
            self._ahead = ahead if abs(ahead) > _TOLERANCE else timedelta(0)
            self._reported = (timestamp, self._monotonic())

    def _estimate(self) -> datetime | None:
        if self._reported is None:
            return None
        moment, at = self._reported
        return moment + timedelta(seconds=self._monotonic() - at)


def _date_of(header: str | None) -> datetime | None:
    if not header:
        return None
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
