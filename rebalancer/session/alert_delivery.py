"""Delivery of alerts: during a session, after a run by hand, and when a unit has failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any, Final

from rebalancer.alerts import LOCK_NAME, Configured, DeliveryThread, Outbox, Words, configured
from rebalancer.alerts.event_feed import EventFeed
from rebalancer.alerts.message import LEVELS, SUMMARY, code_of, level_of, one_line
from rebalancer.alerts.pending import state_of
from rebalancer.alerts.recalled import latest_reported
from rebalancer.core.errors import LockHeld
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Alerts
from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.journal.records import Event
from rebalancer.ops.clock import SystemClock
from rebalancer.session.setup import Setup, report_mode

if TYPE_CHECKING:
    from rebalancer.market_data.trading_calendar import Slot, TradingDay

LOG: Final = logging.getLogger(__name__)
BY_HAND_SECONDS: Final = 5.0  # how long a run by hand waits for its alerts to be sent
NOTES_MAX: Final = 30
BAD_ENDS: Final = ("HALTED", "ABANDONED", CycleOutcome.MISSED)


class Alerting:
    """The alerts of one session: its delivery thread, and the pings of its heartbeat."""

    def __init__(self, delivery: DeliveryThread | None) -> None:
        self._delivery = delivery

    def beat(self, failure: str = "") -> None:
        """Ping the heartbeat: alive, or what failed. Returns at once."""
        if self._delivery is not None:
            self._delivery.beat(failure)

    def beating(self, cycle: Callable[[Slot], str]) -> Callable[[Slot], str]:
        """The work of a slot, followed by a ping: a failure when it halts or raises, none when another run was
        active."""

        def run(slot: Slot) -> str:
            try:
                said = cycle(slot)
            except LockHeld:
                raise
            except Exception as error:
                self.beat(f"slot {slot.id}: {type(error).__name__}")
                raise
            self.beat(f"slot {slot.id}: {said}" if said.startswith(BAD_ENDS) else "")
            return said

        return run

    def closing(
        self, close: Callable[[TradingDay, Mapping[str, int]], None]
    ) -> Callable[[TradingDay, Mapping[str, int]], None]:
        """The end-of-day work, followed by a ping."""

        def run(day: TradingDay, slot_counts: Mapping[str, int]) -> None:
            close(day, slot_counts)
            self.beat()

        return run


@contextmanager
def alerting(setup: Setup, journal: Journal, account_id: str, *, is_real: bool = True) -> Iterator[Alerting]:
    """Deliver alerts and pings while the block runs; a block that ends with an error sends the failure to the
    heartbeat.

    is_real: False for an accelerated simulated day: its alerts are never delivered, neither now nor later.
    """
    found = configured(setup.rules.alerts, setup.environ)
    for problem in found.problems:
        LOG.warning("alerts: %s", problem)
    if found.is_empty:
        yield Alerting(None)
        return
    if not is_real:
        try:
            yield Alerting(None)
        finally:
            journal.record_event(account_id, None, SystemClock().wall(), "alerts_muted", None, {"because": "played"})
        return
    delivery = DeliveryThread(lambda: _outbox(setup, account_id, found), found.heartbeat, SystemClock())
    delivery.start()
    try:
        yield Alerting(delivery)
    except Exception as error:
        delivery.beat(f"the session ended with {type(error).__name__}")
        raise
    finally:
        delivery.close()


def deliver_now(setup: Setup, account_id: str, *, seconds: float = BY_HAND_SECONDS, failure: str = "") -> None:
    """Try once, for at most this many seconds, to deliver what is waiting; the rest stays queued.

    failure: a failure to send to the heartbeat as well; a run by hand sends none.
    """
    found = configured(setup.rules.alerts, setup.environ)
    if not (found.channels or found.feed or (found.heartbeat and failure)):
        return
    delivery = DeliveryThread(
        lambda: _outbox(setup, account_id, found), found.heartbeat, SystemClock(), at_once=bool(failure)
    )
    if failure:
        delivery.beat(failure)
    delivery.start()
    delivery.close(seconds)


@contextmanager
def _outbox(setup: Setup, account_id: str, found: Configured) -> Iterator[Outbox]:
    clock = SystemClock()
    with Journal.open(setup.journal, create=False) as journal:

        def compose(event: Event) -> Words | None:
            return summary_of(setup, journal, event)

        feed = None if found.feed is None else EventFeed(journal, account_id, setup.mode, found.feed, clock)
        yield Outbox(
            journal, account_id, setup.mode, found.channels, setup.rules.alerts, clock, setup.state / LOCK_NAME,
            compose, feed,
        )  # fmt: skip


def summary_of(setup: Setup, journal: Journal, event: Event) -> Words | None:
    """The day's mail with its page, and the alerts below the level for immediate delivery. None when it cannot be made:
    then the text of the alert itself is sent."""
    try:
        return _summary(setup, journal, event)
    except Exception as error:  # noqa: BLE001 - a failing page must not prevent the message
        LOG.warning("the day's mail could not be made: %s", type(error).__name__)
        return None


def _summary(setup: Setup, journal: Journal, event: Event) -> Words:
    from rebalancer.alerts.message import Attachment
    from rebalancer.report.period.gather import period_report_of
    from rebalancer.report.period.mail import edition_mail
    from rebalancer.report.period.page import edition_html

    day = date.fromisoformat(str(event.body["day"]))
    edition = period_report_of(journal, event.account_id, report_mode(setup), setup.rules, "day", day, event.at)
    mail = edition_mail(edition)
    notes = _notes(journal, event, setup)
    text, html = mail.text, mail.html
    if notes:
        text += "\nNOTES OF THE DAY\n" + "".join(f"- {note}\n" for note in notes)
        listed = f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"
        html = html.replace("</body>", f"<p>Notes of the day</p>{listed}</body>", 1)
    return Words(
        mail.subject,
        f"{event.body.get('text', '')}\n\n{text}",
        html,
        Attachment(mail.attachment, edition_html(edition)),
    )


def _notes(journal: Journal, event: Event, setup: Setup) -> list[str]:
    """The alerts since the last summary that were below `alerts.min_level`, the newest last."""
    least = LEVELS.index(setup.rules.alerts.min_level)
    alerts = [e for e in journal.recall(event.account_id, "alert") if e.seq < event.seq]
    before = max((e.seq for e in alerts if code_of(e) == SUMMARY), default=0)
    small = [e for e in alerts if e.seq > before and LEVELS.index(level_of(e)) < least]
    return [f"{e.at:%H:%M} UTC: {one_line(str(e.body.get('text', '')), 300)}" for e in small[-NOTES_MAX:]]


def delivery_states(journal: Journal, rules: Alerts, channels: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """The newest alerts of the account that was traded last, newest first, as plain values."""
    latest = journal.latest_events(1)
    if not latest:
        return []
    account_id, now = latest[0].account_id, SystemClock().wall()
    reported = latest_reported(journal, account_id, limit, now)
    rows = []
    for event in reversed(reported.alerts):
        states = {}
        for channel in channels:
            state, tried = state_of(event, reported, channel, rules, now)
            states[channel] = f"{state} ({tried} of {rules.attempts})" if state in ("failed", "given up") else state
        rows.append(
            {
                "number": event.seq, "at": time_text(event.at), "level": level_of(event), "code": code_of(event),
                "key": event.key or "", "text": str(event.body.get("text", "")), "channels": states,
            }
        )  # fmt: skip
    return rows
