"""The outbox: the journal's alerts are the queue, and their delivery status is recorded in the journal too.

Delivery is at least once per channel: an alert is sent first and recorded afterwards, so if the process dies in
between, it is sent again with the same id. One process delivers at a time (`alerts.lock`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.alerts.channel import Channel, NotDelivered
from rebalancer.alerts.event_feed import EventFeed
from rebalancer.alerts.message import Compose, Message, Words, code_of, level_of, message_of
from rebalancer.alerts.pending import Batch, due, pause_after
from rebalancer.alerts.recalled import still_to_report
from rebalancer.core.errors import LockHeld
from rebalancer.core.rules import Alerts
from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.journal.records import Event
from rebalancer.ops.clock import Clock
from rebalancer.ops.run_lock import RunLock

LOG: Final = logging.getLogger("rebalancer.world.alerts.outbox")
LOCK_NAME: Final = "alerts.lock"


class Pass(NamedTuple):
    """The result of one pass: messages sent, messages that failed, when to run again (None: when a new alert comes)."""

    delivered: int = 0
    failed: int = 0
    wake_at: datetime | None = None
    was_locked: bool = False


def no_words(event: Event) -> Words | None:  # noqa: ARG001 - required by Compose
    """A composer that keeps the alert's own text."""
    return None


class Outbox:
    """Delivers the alerts of one account. Not thread-safe."""

    def __init__(
        self,
        journal: Journal,
        account_id: str,
        mode: str,
        channels: Sequence[Channel],
        rules: Alerts,
        clock: Clock,
        lock: Path,
        compose: Compose = no_words,
        feed: EventFeed | None = None,
    ) -> None:
        """feed: delivers events to programs, beside the alerts. lock: the state folder's `alerts.lock`. clock: the
        machine's, which measures pauses and the hourly limit."""
        self._journal, self._account_id, self._mode = journal, account_id, mode
        self._channels, self._rules, self._clock, self._lock = tuple(channels), rules, clock, lock
        self._compose, self._feed = compose, feed

    def newest(self) -> int:
        """The number of the journal's newest record; while it is unchanged, there are no new alerts."""
        latest = self._journal.latest_events(1)
        return latest[0].seq if latest else 0

    def deliver(self, *, at_once: bool = False) -> Pass:
        """Send what is due on every channel. Raises JournalBroken; a channel's failure is recorded and counted in the
        result."""
        with suppress(LockHeld), RunLock(self._lock, "alerts"):
            passes = [self._deliver(channel, at_once) for channel in self._channels]
            passes += [] if self._feed is None else [Pass(*self._feed.deliver(at_once=at_once))]
            wakes = [p.wake_at for p in passes if p.wake_at is not None]
            return Pass(sum(p.delivered for p in passes), sum(p.failed for p in passes), min(wakes, default=None))
        return Pass(was_locked=True)

    def _deliver(self, channel: Channel, at_once: bool) -> Pass:
        now = self._clock.wall()
        reported = still_to_report(self._journal, self._account_id, self._rules, now)
        found = due(reported, channel.name, self._rules, now, at_once=at_once)
        for number, batch in enumerate(found.batches):
            message = message_of(batch.members, self._mode, self._compose)
            try:
                self._hand_over(channel, message)
            except NotDelivered as error:
                return Pass(number, 1, self._failed(channel, batch, message, str(error)))
            self._sent(channel, batch, message)
        return Pass(len(found.batches), 0, found.wake_at)

    def _hand_over(self, channel: Channel, message: Message) -> None:
        try:
            channel.send(message)
        except NotDelivered:
            raise
        except Exception as error:  # noqa: BLE001 - must not stop other channels or reveal its address
            raise NotDelivered(f"it failed ({type(error).__name__})") from None

    def _sent(self, channel: Channel, batch: Batch, message: Message) -> None:
        head = batch.members[0].seq
        rows: list[tuple[str, str, dict[str, object]]] = [
            (
                "alert_sent",
                f"{event.seq}/{channel.name}",
                {
                    "alert": event.seq, "channel": channel.name, "id": message.id, "head": head,
                    "count": message.alerts, "code": code_of(event), "of": event.key, "level": level_of(event),
                    "urgent": batch.is_urgent,
                },
            )
            for event in batch.members
        ]  # fmt: skip
        self._journal.record_events(self._account_id, None, self._clock.wall(), rows)

    def _failed(self, channel: Channel, batch: Batch, message: Message, why: str) -> datetime | None:
        """Record a failed attempt; returns when the next one is due, None if there is none."""
        tried, now = batch.tried + 1, self._clock.wall()
        next_at = None if tried >= self._rules.attempts else now + pause_after(tried, message.id)
        body = {
            "channel": channel.name,
            "id": message.id,
            "alerts": [event.seq for event in batch.members],
            "tried": tried,
            "why": why,
            "next_at": None if next_at is None else time_text(next_at),
        }
        key = f"{batch.members[0].seq}/{channel.name}"
        self._journal.record_event(self._account_id, None, now, "alert_failed", key, body)
        left = "given up" if next_at is None else f"try {tried} of {self._rules.attempts}"
        LOG.warning("an alert was not delivered by %s (%s): %s", channel.name, left, why)
        return now if next_at is None else next_at
