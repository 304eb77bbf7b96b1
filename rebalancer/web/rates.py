"""Rate limits: a bucket for each caller, filled evenly, as large as what it may do in a minute."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from typing import Final

_CALLERS_MAX: Final = 10_000


class RateLimit:
    """At most `per_minute` requests of each caller, at once or spread. monotonic: seconds."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._most, self._monotonic, self._lock = per_minute, monotonic, threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> int:
        """Count a request. 0 when it may go on, else the seconds until the next one may."""
        with self._lock:
            now = self._monotonic()
            left, at = self._buckets.pop(caller, (float(self._most), now))
            left = min(float(self._most), left + (now - at) * self._most / 60)
            allowed = left >= 1
            self._buckets[caller] = (left - 1 if allowed else left, now)
            while len(self._buckets) > _CALLERS_MAX:
                self._buckets.popitem(last=False)
            return 0 if allowed else max(1, ceil((1 - left) * 60 / self._most))
