"""Waiting and measuring: the only place that touches the machine's clocks.

What time it *is* comes from the broker (`ReadBroker.now`); this clock only says how long something took and waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Clock(Protocol):
    """Time as a cycle needs it."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back, and counts while the machine sleeps."""
        ...

    def wait(self, seconds: float) -> None:
        """Return after this many seconds."""
        ...

    def wall(self) -> datetime:
        """This machine's own time, aware UTC; for records of what happened without a broker's answer."""
        ...


def seconds_since_boot() -> float:
    """Seconds that never go back, with the time in which this machine slept.

    `time.monotonic` leaves that out on Linux, and a woken program would send an order by the time of falling asleep.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return seconds_since_boot()

    def wait(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0))  # noqa: TID251 - the one place that may wait

    def wall(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place that may ask


class Together:
    """Do the same thing to many items at once, on a bounded number of threads; answers come in the items' order. An
    exception of any item is raised after all of them have ended. Lines of the log carry the caller's fields."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="broker")

    def __call__(self, act: Callable[[T], R], items: Sequence[T]) -> list[R]:
        futures = [self._pool.submit(copy_context().run, act, item) for item in items]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._pool.shutdown(wait=True)


def one_by_one(act: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do the same thing to many items, one after the other; for tests that need one order of events."""
    return [act(item) for item in items]
