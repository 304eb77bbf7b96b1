"""The session's alarm clock: APScheduler holds the times of the day and rings; nothing else.

It runs on this machine's clock, which may be wrong or be changed (set back one hour it would not fire for an hour, set
forward it would fire everything at once). Therefore an alarm never runs anything: it only makes the session check the
broker's time and the journal, and every wait also ends by itself, on the monotonic clock.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from rebalancer.ops.clock import Clock
from rebalancer.session.stop import Bell


class Alarm(Protocol):
    """What wakes the session."""

    def plan(self, moments: Sequence[datetime], now: datetime) -> None:
        """Ring at these moments of the broker's time, which is `now` at this moment. Replaces what was planned.
        A moment may be named more than once."""
        ...

    def wait(self, seconds: float) -> None:
        """Return at the next alarm, or after this many seconds at the latest."""
        ...


class ScheduledAlarm:
    """Real time: one APScheduler job per moment, and one that fires every `look_seconds`."""

    def __init__(self, bell: Bell, clock: Clock, look_seconds: float) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped] # no marker

        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a late alarm needs no log line
        self._bell, self._clock = bell, clock
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC,
            executors={"default": {"type": "threadpool", "max_workers": 1}},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_job(bell.ring, "interval", seconds=look_seconds, id="look")
        self._scheduler.start()

    def plan(self, moments: Sequence[datetime], now: datetime) -> None:
        ahead = self._clock.wall() - now  # how far this machine's clock is ahead of the broker's
        for job in self._scheduler.get_jobs():
            if job.id != "look":
                job.remove()
        for moment in dict.fromkeys(moments):
            if moment > now:
                self._scheduler.add_job(self._bell.ring, "date", run_date=moment + ahead, id=moment.isoformat())

    def planned(self) -> list[str]:
        """The moments that are still to come, by the broker's time."""
        return sorted(job.id for job in self._scheduler.get_jobs() if job.id != "look")

    def wait(self, seconds: float) -> None:
        self._bell.wait(seconds)

    def close(self) -> None:
        """Stop the scheduler's thread."""
        self._scheduler.shutdown(wait=False)
