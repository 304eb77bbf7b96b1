"""Signed webhooks for programs: every closed cycle, ended order and decided signal, posted in order.

REBALANCER_EVENTS_WEBHOOK is the address, REBALANCER_EVENTS_SECRET signs. The journal is the queue and remembers how far
it was delivered (`events_delivered`); the first use begins at the journal's head. Delivery is at least once: an event
is posted first and recorded afterwards, with the same id on every attempt. One that is not accepted is tried again
after growing pauses, and nothing overtakes it.

Headers and signature are those of Standard Webhooks (standard-webhooks 1.0.0):
HMAC-SHA256 over "id.timestamp.body", in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.alerts.address import BadAddress, WebAddress, web_address
from rebalancer.alerts.channel import NotDelivered
from rebalancer.alerts.pending import pause_after
from rebalancer.alerts.web import ask
from rebalancer.core.values import time_text, utc_of
from rebalancer.journal import Journal
from rebalancer.journal.records import Event
from rebalancer.ops.clock import Clock

LOG: Final = logging.getLogger(__name__)
ADDRESS: Final = "REBALANCER_EVENTS_WEBHOOK"
SECRET: Final = "REBALANCER_EVENTS_SECRET"  # noqa: S105 - the name of a variable
TYPES: Final[Mapping[str, str]] = {
    "cycle_ended": "cycle.ended",
    "order_ended": "order.ended",
    "cycle_verdicts": "signals.decided",
}
SCHEMA: Final = "rebalancer.event/1"
DELIVERED, FAILED = "events_delivered", "events_failed"
_ROWS: Final = 100  # posted in one pass
_KEY_BYTES_MIN: Final = 24
_PREFIX: Final = "whsec_"


class SignedAddress(NamedTuple):
    """Where events are posted, and the key that signs them."""

    address: WebAddress
    key: bytes

    @property
    def shown(self) -> str:
        """The destination, without secrets."""
        return self.address.shown

    def __repr__(self) -> str:
        return f"SignedAddress({self.shown})"

    def headers(self, name: str, at: datetime, body: bytes) -> dict[str, str]:
        """The headers of one event; at: when it is posted."""
        moment = str(int(at.timestamp()))
        signed = b".".join((name.encode(), moment.encode(), body))
        mac = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        return {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": moment,
            "webhook-signature": f"v1,{mac}",
        }


class FeedPass(NamedTuple):
    """The result of one pass: events delivered, attempts that failed, and when to try again."""

    delivered: int = 0
    failed: int = 0
    wake_at: datetime | None = None


def signed_address(environ: Mapping[str, str]) -> SignedAddress | None:
    """The configured address; None without one. Raises BadAddress when either half is missing or cannot be used."""
    url, secret = environ.get(ADDRESS, "").strip(), environ.get(SECRET, "").strip()
    if not url and not secret:
        return None
    if not url or not secret:
        raise BadAddress(f"{ADDRESS if url else SECRET} is set, and {SECRET if url else ADDRESS} is not")
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise BadAddress(f"{SECRET} begins with {_PREFIX} and is not base64") from None
    if len(key) < _KEY_BYTES_MIN:
        raise BadAddress(f"{SECRET} has fewer than {_KEY_BYTES_MIN} bytes")
    return SignedAddress(web_address(ADDRESS, url), key)


class EventFeed:
    """Posts the events of one account. Not thread-safe; one process delivers at a time, as with the alerts."""

    def __init__(self, journal: Journal, account_id: str, mode: str, to: SignedAddress, clock: Clock) -> None:
        """clock: the machine's, which dates attempts."""
        self._journal, self._account_id, self._mode, self._to, self._clock = journal, account_id, mode, to, clock

    def deliver(self, *, at_once: bool = False) -> FeedPass:
        """Post what is new, in order. at_once: do not wait for the pause after a failure. Raises JournalBroken."""
        cursor = self._cursor()
        if cursor is None:
            latest = self._journal.latest_events(1)
            self._record(latest[0].seq if latest else 0, 0)
            return FeedPass()
        failure = self._failure(cursor)
        now = self._clock.wall()
        if failure is not None and not at_once:
            wake = utc_of(str(failure.body["next_at"]))
            if now < wake:
                return FeedPass(wake_at=wake)
        events = self._journal.events_after(cursor, tuple(TYPES), _ROWS)
        delivered, before = 0, cursor
        for event in events:
            if event.account_id == self._account_id:
                try:
                    self._post(event)
                except NotDelivered as error:
                    if delivered:
                        self._record(before, delivered)
                    tried = 1 if failure is None or failure.body["seq"] != event.seq else int(failure.body["tried"]) + 1
                    return FeedPass(delivered, 1, self._failed(event, tried, str(error)))
                delivered += 1
            before = event.seq
        if events:
            self._record(events[-1].seq, delivered)
        return FeedPass(delivered, 0, now if len(events) == _ROWS else None)

    def _post(self, event: Event) -> None:
        body = json.dumps(document_of_event(event, self._mode), ensure_ascii=False).encode("utf-8", "backslashreplace")
        name = _id(event)
        ask("POST", self._to.address.reveal(), body, self._to.headers(name, self._clock.wall(), body))

    def _cursor(self) -> int | None:
        """The last row that was delivered or is never to be; None before the first use."""
        delivered = self._journal.recall(self._account_id, DELIVERED, last=1)
        if not delivered:
            return None
        muted = self._journal.recall(self._account_id, "alerts_muted", last=1)
        return max(int(delivered[-1].body["up_to"]), muted[-1].seq if muted else 0)

    def _failure(self, cursor: int) -> Event | None:
        found = self._journal.recall(self._account_id, FAILED, last=1)
        return found[-1] if found and int(found[-1].body["seq"]) > cursor else None

    def _record(self, up_to: int, count: int) -> None:
        body = {"up_to": up_to, "count": count}
        self._journal.record_event(self._account_id, None, self._clock.wall(), DELIVERED, None, body)

    def _failed(self, event: Event, tried: int, why: str) -> datetime:
        now = self._clock.wall()
        next_at = now + pause_after(tried, _id(event))
        body = {"seq": event.seq, "tried": tried, "why": why, "next_at": time_text(next_at)}
        self._journal.record_event(self._account_id, None, now, FAILED, None, body)
        LOG.warning("an event was not delivered (try %s): %s", tried, why)
        return next_at


def document_of_event(event: Event, mode: str) -> dict[str, object]:
    """The object that is posted."""
    return {
        "schema": SCHEMA,
        "type": TYPES[event.kind],
        "id": _id(event),
        "seq": event.seq,
        "timestamp": time_text(event.at),
        "mode": mode,
        "data": {"cycle_id": event.cycle_id, "key": event.key, **event.body},
    }


def _id(event: Event) -> str:
    """The same on every attempt, and different in every journal."""
    whole = f"{event.account_id}|{event.seq}|{time_text(event.at)}|{event.kind}"
    return f"evt_{event.seq}_{hashlib.sha256(whole.encode()).hexdigest()[:16]}"
