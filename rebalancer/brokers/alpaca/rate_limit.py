"""One brake for all threads: no more calls in any minute than allowed, and none that the broker would refuse.

Two limits hold at once. Ours: at most `per_minute` starts in every window of 60 seconds, wherever the broker's own
window begins. The broker's: what its last answers left over, which other programs on the same account use up too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60.0


class Pacer:
    """Give out permission to send, in any number of threads. Every `take` that said yes is followed by one `done`."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float], wait: Callable[[float], object]) -> None:
        self._per_minute, self._monotonic, self._wait = per_minute, monotonic, wait
        self._lock = threading.Lock()
        self._starts: deque[float] = deque()
        self._in_flight = 0
        self._left: int | None = None  # calls that the broker still allows until _resets_at; None: it has not said
        self._resets_at = 0.0

    def take(self, within_seconds: float) -> bool:
        """Wait for permission to send one request. False when there will be none in time: then nothing was taken."""
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
        """Tell that a request ended, and what its answer said: calls left, and seconds until there are new ones."""
        with self._lock:
            self._in_flight -= 1
            if remaining is None or reset_seconds is None or reset_seconds <= 0:
                return
            now = self._monotonic()
            # Requests under way may or may not be counted in `remaining`: assume that they are not.
            left = max(remaining - self._in_flight, 0)
            resets_at = now + min(reset_seconds, WINDOW_SECONDS)
            if self._left is not None and now < self._resets_at:
                # Answers overtake each other; inside one window the allowance only falls.
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
