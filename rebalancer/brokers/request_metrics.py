"""Count the requests sent to the broker and their failures, at the point where they are sent."""

from __future__ import annotations

import threading
from typing import NamedTuple


class RequestCounts(NamedTuple):
    """Requests of one interval. `repeats` are retries; `limited` were answered with 429, `failed` with 5xx, `lost` not
    at all or not in full; `longest_ms` is the longest time from sending to the complete response."""

    calls: int = 0
    repeats: int = 0
    limited: int = 0
    failed: int = 0
    lost: int = 0
    longest_ms: int = 0


class RequestMetrics:
    """The request counter of one client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = RequestCounts()

    def ended(self, seconds: float, status: int | None, *, is_whole: bool, is_repeat: bool) -> None:
        """Count one request. status: None when no response began; is_whole: the complete response arrived."""
        is_limited, is_failed = status == 429, status is not None and status >= 500
        with self._lock:
            now = self._counts
            self._counts = RequestCounts(
                now.calls + 1,
                now.repeats + is_repeat,
                now.limited + is_limited,
                now.failed + is_failed,
                now.lost + (not is_whole and not is_limited and not is_failed),
                max(now.longest_ms, round(seconds * 1000)),
            )

    def lap(self) -> RequestCounts:
        """Return the counts since the last call, and start again from zero."""
        with self._lock:
            counted, self._counts = self._counts, RequestCounts()
        return counted
