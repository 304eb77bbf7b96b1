"""Loss limits stay in force for the rest of the trading day once broken: recorded then, and read by every later cycle.

A `latched` event has the limit's name as its key. It expires when the next trading day begins, or when a person adds a
later `rearmed` event with the same key (`rebalancer resume --reason`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rebalancer.core.facts import Account, Session
from rebalancer.core.values import text_of
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.journal import Journal
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import Event
from rebalancer.planning.trading_halt import LOSS_LIMITS, Breach

NAMES: Final = frozenset(name for name, _, _ in LOSS_LIMITS)


def latched_since(journal: JournalReads, account_id: str, day_start: datetime) -> dict[str, str]:
    """The loss limits that broke since the trading day began and are still latched, with the reasons recorded then."""
    today = standing(journal.recall(account_id, "latched", since=day_start), journal.recall(account_id, "rearmed"))
    return {event.key or "": str(event.body["because"]) for event in today}


def standing(latched: Sequence[Event], rearmed: Sequence[Event]) -> list[Event]:
    """The first latch of each loss limit that has not been lifted since, oldest first."""
    lifted = {e.key: e.seq for e in rearmed}
    found: dict[str | None, Event] = {}
    for event in latched:
        if event.key in NAMES and event.seq > lifted.get(event.key, 0):
            found.setdefault(event.key, event)
    return list(found.values())


def latch(
    journal: Journal, cycle_id: str, at: datetime, session: Session, account: Account, broken: Sequence[Breach]
) -> None:
    """Record limits that have just been broken, each with an alert for a person."""
    rows: list[tuple[str, str, dict[str, object]]] = []
    for breach in broken:
        if breach.share is None:
            continue  # an unknown value denies trades now, but says nothing about the rest of the day
        body: dict[str, object] = {
            "day": session.open.date().isoformat(),
            "equity": text_of(account.equity),
            "share": f"{breach.share:.6f}",
            "limit": text_of(breach.most),
            "because": str(breach.because),
        }
        said = f"{breach.because}: only reductions are sent for the rest of the day"
        rows += [
            ("latched", breach.limit, body),
            alert_row(breach.limit, "action", "latched", said),
        ]
    if rows:
        journal.record_events(account.id, cycle_id, at, rows)


def rearm(journal: Journal, account_id: str, at: datetime, reason: str) -> tuple[str, ...]:
    """Lift every loss limit that is latched, for a person who gives a reason. Returns their names."""
    still = standing(journal.recall(account_id, "latched"), journal.recall(account_id, "rearmed"))
    names = tuple(event.key or "" for event in still)
    journal.record_events(account_id, None, at, [("rearmed", name, {"reason": reason}) for name in names])
    return names
