"""Read one account's alerts from the journal, each by the clock that dated it. See docs/decisions/0011."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rebalancer.alerts.message import code_of
from rebalancer.alerts.pending import BY_MACHINE, FOLD, OLDEST, Reported, is_wanted
from rebalancer.core.rules import Alerts
from rebalancer.journal import Journal
from rebalancer.journal.records import Event

BY_ACCOUNT: Final = ("cycle_started", "slot", "alert")  # kinds dated by the account's clock, at least one per slot


def still_to_report(journal: Journal, account_id: str, rules: Alerts, now: datetime) -> Reported:
    """The alerts that may still be sent on some channel, and their delivery status. now: by the machine's clock."""
    newest = newest_moment(journal, account_id)
    since = None if newest is None else newest - OLDEST
    alerts = [e for e in journal.recall(account_id, "alert", since=since) if code_of(e) not in BY_MACHINE]
    alerts += journal.recall(account_id, "alert", keys=BY_MACHINE, since=now - OLDEST)  # their key is their code
    wanted = sorted((e for e in alerts if is_wanted(e, rules)), key=lambda e: e.seq)
    return _with_delivery(journal, account_id, wanted, newest, now)


def latest_reported(journal: Journal, account_id: str, limit: int, now: datetime) -> Reported:
    """The newest alerts, sent or not, and their delivery status. now: by the machine's clock."""
    alerts = journal.recall(account_id, "alert", last=limit)
    return _with_delivery(journal, account_id, alerts, newest_moment(journal, account_id), now)


def newest_moment(journal: Journal, account_id: str) -> datetime | None:
    """The latest recorded time of the account's clock. For real accounts that is the broker's clock, which agrees with
    the machine's; for a simulated account it is the exchange's, which may be set to any year."""
    latest = [event for kind in BY_ACCOUNT for event in journal.recall(account_id, kind, last=1)]
    dated = [event for event in latest if code_of(event) not in BY_MACHINE]
    return max(dated, key=lambda e: e.seq).at if dated else None


def _with_delivery(
    journal: Journal, account_id: str, alerts: Sequence[Event], newest: datetime | None, now: datetime
) -> Reported:
    """Add the delivery status of alerts, which is recorded after the first of them, whatever its date; the hourly limit
    also needs the messages of the last hour."""
    muted = journal.recall(account_id, "alerts_muted", last=1)
    if not alerts:
        return Reported((), (), (), newest, muted[-1].seq if muted else 0)
    after = alerts[0].seq
    sent = {e.seq: e for e in journal.recall(account_id, "alert_sent", since=now - FOLD)}
    sent |= {e.seq: e for e in journal.recall(account_id, "alert_sent", after=after)}
    failed = journal.recall(account_id, "alert_failed", after=after)
    return Reported(alerts, [sent[seq] for seq in sorted(sent)], failed, newest, muted[-1].seq if muted else 0)
