"""Keep the receipts of signals up to date after a cycle. Never raises, and never takes longer than its budget.

The cycle is over by then: its orders have ended and its verdicts are in the journal. Whatever fails here is logged,
reported once a day, and done by a later cycle.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.errors import ExternalError, SignalsUnavailable
from rebalancer.core.facts import Snapshot
from rebalancer.core.rules import Rules
from rebalancer.journal.alert_row import ALERT, alert_row
from rebalancer.journal.reads import JournalReads
from rebalancer.rebalance.world import World
from rebalancer.session.setup import Setup
from rebalancer.signals.receipts import inbox, retention, store
from rebalancer.signals.receipts.database import is_busy
from rebalancer.signals.receipts.following import INBOX, Followed, Follower, settle
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.signals.receipts.store import ReceiptStore, set_cursor

LOG: Final = logging.getLogger(__name__)
BUDGET_SECONDS: Final = 2.0  # after a cycle; what is left is done after the next one
WAIT_SECONDS: Final = 0.2  # for another process that writes receipts
_PRUNED: Final = "pruned"  # cursor: the day on which old receipts were last deleted
_SOME: Final = 5000


class Moments(NamedTuple):
    """The broker's time of the last cycle, and the machine's time."""

    now: datetime
    wall: datetime


def keep_receipts(setup: Setup, world: World, snapshot: Snapshot) -> None:
    """Follow the journal, give outcomes to signals that no cycle will read any more, and once a day delete old ones."""
    deadline = world.clock.monotonic() + BUDGET_SECONDS
    moments = Moments(snapshot.as_of, world.clock.wall())

    def is_over() -> bool:
        return world.clock.monotonic() >= deadline

    try:
        done = update_receipts(setup.state, world.journal, setup.rules, moments, WAIT_SECONDS, is_over)
        if not done.is_complete:
            LOG.info("receipts of signals: more is left to read, the next cycle goes on")
    except SignalsUnavailable as error:
        if is_busy(error.__cause__):
            LOG.info("receipts of signals: %s", str(error).partition("\n")[0])
        else:
            _report(world, snapshot, error)
    except (ExternalError, OSError, sqlite3.Error, ValueError, KeyError, TypeError) as error:
        _report(world, snapshot, error)


def read_new(state: Path, journal: JournalReads | None, rules: Rules, wait_seconds: float) -> Followed:
    """Read what is new in the journal, if there is one, and the inbox, without deciding or deleting anything. Raises
    SignalsUnavailable and JournalBroken; what was done before stays."""
    newest = () if journal is None else journal.latest_events(1)
    horizon = newest[0].at - timedelta(days=rules.signals.keep_days) if newest else datetime.min.replace(tzinfo=UTC)
    with ExitStack() as stack:
        receipts = stack.enter_context(ReceiptStore.open(state / store.NAME, wait_seconds))
        return Follower(receipts, journal, _inbox(state, stack, wait_seconds), horizon).follow()


def update_receipts(
    state: Path,
    journal: JournalReads,
    rules: Rules,
    moments: Moments,
    wait_seconds: float,
    is_over: Callable[[], bool] = lambda: False,
) -> Followed:
    """Bring the store up to date. Raises SignalsUnavailable and JournalBroken; what was done before stays."""
    age = timedelta(minutes=rules.signals.max_age_minutes)
    horizon = moments.now - timedelta(days=rules.signals.keep_days)
    with ExitStack() as stack:
        receipts = stack.enter_context(ReceiptStore.open(state / store.NAME, wait_seconds))
        inserted = _inbox(state, stack, wait_seconds)
        done = Follower(receipts, journal, inserted, horizon).follow(is_over)
        if not done.is_complete:
            return done
        settled = settle(receipts, moments.now, moments.wall, age, moments.now)
        today = moments.now.date().isoformat()
        if receipts.cursor(_PRUNED) != today:
            retention.prune(receipts, horizon, is_over)
            if inserted is not None:
                kept = max(timedelta(days=inbox.KEPT_DAYS), age + timedelta(days=1))
                while (
                    inserted.prune(moments.wall - kept, int(receipts.cursor(INBOX) or 0), _SOME) == _SOME
                    and not is_over()
                ):
                    pass
            with receipts.writing() as connection:
                set_cursor(connection, _PRUNED, today)
    return done._replace(outcomes=done.outcomes + settled)


def _inbox(state: Path, stack: ExitStack, wait_seconds: float) -> SignalInbox | None:
    """The inbox, if anything was ever inserted."""
    place = state / inbox.NAME
    return stack.enter_context(SignalInbox.open(place, wait_seconds)) if place.exists() else None


def _report(world: World, snapshot: Snapshot, error: Exception) -> None:
    """Log a failure, and write one alert a day about it."""
    words = " ".join(str(error).split())
    LOG.warning("receipts of signals were not written: %s", words)
    account_id, day = snapshot.account.id, snapshot.as_of.date().isoformat()
    try:
        earlier = world.journal.recall(account_id, ALERT, keys=[store.NAME], last=1)
        if not (earlier and earlier[0].body.get("day") == day):
            said = f"receipts of signals were not written: {words}"
            row = alert_row(store.NAME, "warning", "signal_receipts", said, day=day)
            world.journal.record_event(account_id, snapshot.cycle_id, snapshot.as_of, *row)
    except ExternalError as failed:
        LOG.warning("this was not reported: %s", failed)
