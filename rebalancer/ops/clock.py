"""Waiting and measuring time: the only module that uses the machine's clocks.

The current time is the broker's (`ReadBroker.now`); this clock is for waiting and for measuring durations.
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
    """The clock operations that a cycle needs."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary fixed time; never decreases, and includes time while the machine is suspended."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep for this many seconds."""
        ...

    def wall(self) -> datetime:
        """The machine's own time, aware UTC; for records made when there is no broker time."""
        ...


def seconds_since_boot() -> float:
    """Monotonic seconds, including the time while the machine was suspended.

    `time.monotonic` excludes it on Linux, so a program resumed from suspend would act as if no time had passed.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return seconds_since_boot()

    def wait(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0))  # noqa: TID251 - the only place that may sleep

    def wall(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the only place that may read it


class Together:
    """Apply a function to many items concurrently, on a bounded number of threads; results are in the order of the
    items. An exception from any item is raised after all of them have finished. Log lines carry the caller's context
    fields."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="broker")

    def __call__(self, act: Callable[[T], R], items: Sequence[T]) -> list[R]:
        futures = [self._pool.submit(copy_context().run, act, item) for item in items]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]

    def close(self) -> None:
        """Wait for running calls and stop the threads."""
        self._pool.shutdown(wait=True)


def one_by_one(act: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Apply a function to many items sequentially; for tests that need a deterministic order of events."""
    return [act(item) for item in items]
