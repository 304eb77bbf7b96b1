"""The account's activities as events: `/v2beta1/events/activities` tells each one when it is listed, and can replay.

An event is computed from the activity in the state file, so that there is nothing to keep beside it. Its place is its
millisecond and its number, which its id, a ULID, is made of: ids rise as the events do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.values import text_of, time_text
from rebalancer.exchange.calendar import moment_of, new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate_actions import CorporateAction
from rebalancer.exchange.streams.events import event_ulid, ulid_place
from rebalancer.exchange.views import asset_id

Place = tuple[int, int]  # millisecond since 1970, number of the activity
Row = dict[str, Any]
_PAGE: Final = 500
_SELECT: Final = "SELECT seq, at, body FROM activity"


class ActivityEvent(NamedTuple):
    """One event. `body` is its JSON text."""

    place: Place
    at: int
    id: str
    body: str


class ActivityEvents:
    """Reads only. The caller holds the exchange's lock, inside `reading`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def last(self) -> Place:
        """The place of the newest event."""
        return self.before_moment(self._exchange.caught_up + 1)

    def after(self, place: Place) -> list[ActivityEvent]:
        """Events past a place, oldest first: some hundreds, and never only a part of a millisecond."""
        millis, number = place
        now = self._exchange.caught_up
        rows = self._of_millisecond(millis, number)
        rows += (later := self._rows("at >= ? AND at <= ? ORDER BY at, seq LIMIT ?", _start(millis + 1), now, _PAGE))
        if len(later) == _PAGE:
            newest = later[-1][1] // 1000
            rows = [row for row in rows if row[1] // 1000 < newest] + self._of_millisecond(newest, 0)
        found = sorted(((at // 1000, seq), at, body) for seq, at, body in rows)
        return [self._event(where, at, json.loads(body)) for where, at, body in found]

    def before_moment(self, at: int) -> Place:
        """The place of the last event before a moment."""
        millis = at // 1000
        number = max(
            (seq for seq, when, _ in self._rows("at >= ? AND at < ?", millis * 1000, at) if when < at), default=0
        )
        return millis, number

    def place_of(self, identity: str) -> Place:
        """The place of an id: one that no event has stands where it would sort."""
        return ulid_place(identity)

    def _of_millisecond(self, millis: int, number: int) -> list[tuple[int, int, str]]:
        """The activities of one millisecond, up to now, past a number."""
        until = min(_start(millis + 1) - 1, self._exchange.caught_up)
        return self._rows("at >= ? AND at <= ? AND seq > ?", _start(millis), until, number)

    def _rows(self, where: str, *values: int) -> list[tuple[int, int, str]]:
        query = f"{_SELECT} WHERE {where}"
        return [(int(seq), int(at), str(body)) for seq, at, body in self._exchange.store.execute(query, values)]

    def _event(self, place: Place, at: int, row: Row) -> ActivityEvent:
        identity = event_ulid(self._exchange.market.seed, at, place[1])
        is_fill = row["activity_type"] == "FILL"
        body: Row = {
            "event_id": identity,
            "at": time_text(moment_of(at)),
            "executed_at": row.get("transaction_time", time_text(moment_of(at))),
            "activity_type": row["activity_type"],
            "status": row.get("status", "executed"),
            "currency": "USD",
            "ref_id": str(row["id"]).rpartition("::")[2],
            "settle_date": self._settle_date(at, row) if is_fill else row["date"],
            **{name: row[name] for name in ("net_amount", "price", "qty") if name in row},
            "details": self._trade(row) if is_fill else self._entry(row),
        }
        if "activity_sub_type" in row:
            body["activity_subtype"] = row["activity_sub_type"]
        if is_fill:
            body["net_amount"] = _paid(row)
        return ActivityEvent(place, at, identity, json.dumps(body))

    def _settle_date(self, at: int, row: Row) -> str:
        """The session after the day of a trade; crypto settles at once."""
        sessions, listing = self._exchange.sessions, self._exchange.market.find(str(row["symbol"]))
        day = new_york_day(at)
        if listing is None or listing.is_crypto:
            return date.fromordinal(day).isoformat()
        return sessions.next_open(sessions.next_close(at).close).date.isoformat()

    def _trade(self, row: Row) -> Row:
        listing = self._exchange.market.find(str(row["symbol"]))
        order = self._exchange.store.order("id", str(row["order_id"]))
        names = ("order_id", "side", "symbol", "leaves_qty", "cum_qty", "order_status")
        return {
            **{name: row[name] for name in names},
            "asset_id": asset_id(listing.symbol if listing is not None else str(row["symbol"])),
            "client_order_id": "" if order is None else order.client_order_id,
            "execution_type": "fill",
        }

    def _entry(self, row: Row) -> Row:
        details: Row = {"system_date": row["date"]}
        action = self._action(row)
        if action is None:
            return details | ({"symbol": row["symbol"]} if "symbol" in row else {})
        days = {"position_date": row["date"], "ex_date": _day(action.ex_day), "payable_date": _day(action.pay_day)}
        details |= {"ca_id": action.id, "symbol": action.symbol, **days}
        if action.kind == "dividend":
            flags = {"cusip": "", "foreign": False, "special": False, "rate": text_of(action.rate)}
            return details | flags | {"entitled_qty": row["qty"], "cash_payout": row["net_amount"]}
        old = Decimal(row["qty"]) * action.old / (action.new - action.old)
        return details | {
            "old_cusip": "", "new_cusip": "", "old_rate": str(action.old), "new_rate": str(action.new),
            "old_qty": text_of(old), "new_qty": text_of(old + Decimal(row["qty"])),
        }  # fmt: skip

    def _action(self, row: Row) -> CorporateAction | None:
        """The dividend or split behind an entry."""
        kind = {"DIV": "dividend", "SPLIT": "split"}.get(row["activity_type"])
        for action in self._exchange.announced if kind is not None else ():
            day = action.pay_day if kind == "dividend" else action.ex_day
            if (action.kind, action.symbol, _day(day)) == (kind, row.get("symbol"), row["date"]):
                return action
        return None


def _paid(row: Mapping[str, Any]) -> str:
    """What a fill changed cash by, to the last digit; fees are entries of their own."""
    value = Decimal(row["qty"]) * Decimal(row["price"])
    return text_of(-value if row["side"] == "buy" else value)


def _start(millis: int) -> int:
    """The first microsecond of a millisecond."""
    return millis * 1000


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
