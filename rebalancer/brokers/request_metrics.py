"""How many requests went to the broker, and how many of them went wrong: counted where they leave."""

from __future__ import annotations

import threading
from typing import NamedTuple


class RequestCounts(NamedTuple):
    """Requests of some stretch of time. `repeats` are those that repeat an earlier one; `limited` were answered 429,
    `failed` 5xx, `lost` not at all or not in full; `longest_ms` is the longest from leaving to the whole answer."""

    calls: int = 0
    repeats: int = 0
    limited: int = 0
    failed: int = 0
    lost: int = 0
    longest_ms: int = 0


class RequestMetrics:
    """The counter of one connection. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = RequestCounts()

    def ended(self, seconds: float, status: int | None, *, is_whole: bool, is_repeat: bool) -> None:
        """Count one request. status: None when no answer began; is_whole: the whole answer came."""
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
        """What was counted since the last lap; a new one begins."""
        with self._lock:
            counted, self._counts = self._counts, RequestCounts()
        return counted
