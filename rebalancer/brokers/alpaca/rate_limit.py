"""A rate limiter shared by all threads: it keeps within our own limit and within the broker's.

Both limits apply at once. Ours: at most `per_minute` requests start in any window of 60 seconds, wherever the broker's
own window begins. The broker's: the remaining allowance in its latest responses, which other programs on the same
account use as well.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60.0


class Pacer:
    """Grants permission to send. Thread-safe. Every `take` that returned True must be followed by one `done`."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float], wait: Callable[[float], object]) -> None:
        self._per_minute, self._monotonic, self._wait = per_minute, monotonic, wait
        self._lock = threading.Lock()
        self._starts: deque[float] = deque()
        self._in_flight = 0
        self._left: int | None = None  # requests that the broker still allows until _resets_at; None: not reported
        self._resets_at = 0.0

    def take(self, within_seconds: float) -> bool:
        """Wait for permission to send one request. False when none comes in time; no permission is used up then."""
        give_up_at = self._monotonic() + within_seconds
        while True:
            with self._lock:
                now = self._monotonic()
                pause = self._pause(now)
                if pause <= 0:
                    self._starts.append(now)
                    self._in_flight += 1
                    if self._left is not None:
                        self._left -= 1
                    return True
            if now + pause > give_up_at:
                return False
            self._wait(pause)

    def done(self, remaining: int | None = None, reset_seconds: float | None = None) -> None:
        """Report that a request ended, with what its response said: requests left and seconds until the reset."""
        with self._lock:
            self._in_flight -= 1
            if remaining is None or reset_seconds is None or reset_seconds <= 0:
                return
            now = self._monotonic()
            # Requests in flight may or may not be counted in `remaining`: assume that they are not.
            left = max(remaining - self._in_flight, 0)
            resets_at = now + min(reset_seconds, WINDOW_SECONDS)
            if self._left is not None and now < self._resets_at:
                # Responses can arrive out of order; within one window the allowance only falls.
                left, resets_at = min(left, self._left), max(resets_at, self._resets_at)
            self._left, self._resets_at = left, resets_at

    def _pause(self, now: float) -> float:
        while self._starts and self._starts[0] + WINDOW_SECONDS <= now:
            self._starts.popleft()
        if self._left is not None and now >= self._resets_at:
            self._left = None
        ours = self._starts[0] + WINDOW_SECONDS - now if len(self._starts) >= self._per_minute else 0.0
        theirs = self._resets_at - now if self._left is not None and self._left <= 0 else 0.0
        return max(ours, theirs)
