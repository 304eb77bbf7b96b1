"""What one cycle cost: the seconds of each step, the requests to the broker, and the age of the prices.

Journalled as one event of kind "cycle_stats" with the cycle's id as key, also when the cycle halts or fails. A cycle
that reaches its end writes it together with its account, in the same transaction, so it needs no write of its own.
Nothing in here may make a cycle fail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.brokers.request_metrics import RequestCounts, RequestMetrics
from rebalancer.core.decisions import Plan
from rebalancer.core.documents import canonical
from rebalancer.core.errors import AnotherProgram, BrokerUnavailable, CredentialsRefused, JournalBroken, LockHeld
from rebalancer.core.facts import Snapshot
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import Event
from rebalancer.ops.clock import Clock

LOG: Final = logging.getLogger("rebalancer.world.cycle_stats")
KIND: Final = "cycle_stats"
STEPS: Final = ("read", "plan", "journal", "reduce", "wait", "fund", "increase", "look_after", "failed")
_SECONDS: Final = "_seconds"


Row = tuple[str, str | None, Mapping[str, object]]


class Stats(NamedTuple):
    """One row as read back. `ended` is the cycle's outcome or the name of the error that ended it; `steps` are the
    seconds of the steps that it reached, with "failed" for the one in progress at an error; `counts` and
    `oldest_quote_seconds` are None when not known."""

    cycle_id: str
    at: datetime
    mode: str
    ended: str
    steps: Mapping[str, float]
    counts: RequestCounts | None
    feed: str
    oldest_quote_seconds: float | None


class CycleStats:
    """Measures one cycle. `lap` ends a step; the part of it given as `waited` is counted as waiting instead."""

    def __init__(self, clock: Clock, traffic: RequestMetrics | None, mode: str, feed: str) -> None:
        self.clock, self._traffic, self._mode, self._feed = clock, traffic, mode, feed
        self._last = clock.monotonic()
        self._steps: dict[str, float] = {}
        self._oldest: float | None = None
        self.cycle_id: str | None = None
        self.is_written = False
        if traffic is not None:
            traffic.lap()

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """The seconds of every step that has ended, in the order of `STEPS`."""
        return tuple((step, self._steps[step]) for step in STEPS if step in self._steps)

    def lap(self, step: str, waited: float = 0.0) -> None:
        """End a step."""
        now = self.clock.monotonic()
        took, self._last = now - self._last, now
        self._add(step, took - waited)
        if waited:
            self._add("wait", waited)

    def decided(self, snapshot: Snapshot, plan: Plan) -> None:
        """Note the age of the oldest price that the plan was made with, at the moment of the snapshot."""
        used = {t.symbol for t in plan.targets} | {o.symbol for o in plan.orders}
        oldest = min((q.at for q in snapshot.quotes if q.symbol in used), default=None)
        self._oldest = None if oldest is None else max((snapshot.as_of - oldest).total_seconds(), 0.0)

    def rows(self, ended: str, step: str) -> list[Row]:
        """The event, to be written with others; empty when it has been returned before. `step` is in progress."""
        if self.is_written:
            return []
        self.is_written = True
        try:
            self.lap(step)
            body = self._body(ended)
            canonical(body)  # a row that cannot be written must not fail the rows written with it
            return [(KIND, self.cycle_id, body)]
        except Exception:
            LOG.exception("what the cycle cost is not recorded")
            return []

    def _body(self, ended: str) -> dict[str, object]:
        body: dict[str, object] = {"mode": self._mode, "ended": ended, "feed": self._feed}
        body |= {step + _SECONDS: round(seconds, 3) for step, seconds in self._steps.items()}
        if self._oldest is not None:
            body["oldest_quote_seconds"] = round(self._oldest, 3)
        if self._traffic is not None:
            body |= self._traffic.lap()._asdict()
        return body

    def _add(self, step: str, seconds: float) -> None:
        self._steps[step] = self._steps.get(step, 0.0) + max(seconds, 0.0)


@contextmanager
def measured(
    stats: CycleStats, journal: Journal, account_id: str, brokers_time: Callable[[], datetime]
) -> Iterator[None]:
    """Write the stats of a cycle that ends with an error, unless nothing of it may be written: the slot belongs to
    another run, or the journal itself is broken. The error is re-raised.

    brokers_time: dates the record; this machine's clock is used if the broker has never answered.
    """
    try:
        yield
    except Exception as error:
        is_silent = isinstance(error, LockHeld | JournalBroken) and not isinstance(error, AnotherProgram)
        if account_id and not is_silent:
            _write_failed(stats, journal, account_id, type(error).__name__, brokers_time)
        raise


def _write_failed(
    stats: CycleStats, journal: Journal, account_id: str, ended: str, brokers_time: Callable[[], datetime]
) -> None:
    at = stats.clock.wall()
    with suppress(BrokerUnavailable, CredentialsRefused):
        at = brokers_time()
    try:
        for kind, key, body in stats.rows(ended, "failed"):
            journal.record_event(account_id, stats.cycle_id, at, kind, key, body)
    except Exception as error:  # noqa: BLE001 - it must not hide the cycle's own error
        LOG.warning("what the cycle cost is not recorded: %s", error)


def stats_of(event: Event) -> Stats:
    """Read one row back. Raises KeyError, TypeError or ValueError for a body that is not such an event."""
    body = event.body
    calls = {name: int(body[name]) for name in RequestCounts._fields} if "calls" in body else None
    oldest = body.get("oldest_quote_seconds")
    return Stats(
        cycle_id=event.key or "",
        at=event.at,
        mode=str(body["mode"]),
        ended=str(body["ended"]),
        steps={step: float(body[step + _SECONDS]) for step in STEPS if step + _SECONDS in body},
        counts=None if calls is None else RequestCounts(**calls),
        feed=str(body["feed"]),
        oldest_quote_seconds=None if oldest is None else float(oldest),
    )
