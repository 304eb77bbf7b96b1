"""Split the account activities in the journal into fills, cash events and share events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from rebalancer.accounting.activities import (
    COIN_FEE,
    DIVIDENDS,
    FEES,
    FLOWS,
    IN_KIND,
    INTEREST,
    is_known,
    moves_shares,
)
from rebalancer.brokers.protocol import Activity
from rebalancer.core.values import ZERO, decimal_of, utc_of
from rebalancer.journal.records import Event
from rebalancer.performance.records import CashEvent, CashKind, Fill, ShareEvent

Moved = TypeVar("Moved", Fill, CashEvent, ShareEvent)


class AccountMovements(NamedTuple):
    """Everything that moved cash or shares, oldest first."""

    fills: tuple[Fill, ...]
    cash: tuple[CashEvent, ...]
    shares: tuple[ShareEvent, ...]


def movements_of(events: Iterable[Event], values: Mapping[str, Decimal] | None = None) -> AccountMovements:
    """Read `activity` events; those of an unknown type move nothing. Raises KeyError or ValueError for an invalid body.

    values: signed USD value of in-kind shares by activity, as counted in the daily books.
    """
    fills, cash, shares = list[Fill](), list[CashEvent](), list[ShareEvent]()
    for event in events:
        body, name, at = event.body, event.key or "", utc_of(event.body["at"])
        if body["type"] == "FILL":
            fills.append(_fill(name, body, at))
            continue
        one = _activity(name, body, at)
        if not is_known(one):
            continue
        coins = one.type == COIN_FEE and one.qty != 0 and one.amount == 0 and one.symbol is not None
        if one.symbol is not None and (coins or moves_shares(one)):
            shares.append(_shares(one, at, (values or {}).get(one.id, one.amount), coins=coins))
        if one.amount != ZERO and one.type not in IN_KIND:
            cash.append(CashEvent(one.id, at, _kind(one.type), one.amount, one.symbol))
    return AccountMovements(_sorted(fills), _sorted(cash), _sorted(shares))


def _fill(name: str, body: Mapping[str, Any], at: datetime) -> Fill:
    return Fill(name, body["order_id"], at, body["symbol"], decimal_of(body["qty"]), decimal_of(body["price"]))


def _activity(name: str, body: Mapping[str, Any], at: datetime) -> Activity:
    return Activity(name, body["type"], body["symbol"], decimal_of(body["qty"]), decimal_of(body["amount"]), at.date())


def _shares(one: Activity, at: datetime, value: Decimal, *, coins: bool) -> ShareEvent:
    symbol = one.symbol or ""
    if coins:
        return ShareEvent(one.id, at, symbol, one.qty, "coin_fee")
    if one.type in IN_KIND:
        return ShareEvent(one.id, at, symbol, one.qty, "in_kind", abs(value / one.qty))
    return ShareEvent(one.id, at, symbol, one.qty, "corporate_action")


def _kind(activity_type: str) -> CashKind:
    if activity_type in FLOWS:
        return "flow"
    if activity_type == COIN_FEE:
        return "coin_fee"
    if activity_type in FEES:
        return "fee"
    if activity_type in INTEREST:
        return "interest"
    return "dividend" if activity_type in DIVIDENDS else "other"


def _sorted(rows: list[Moved]) -> tuple[Moved, ...]:
    return tuple(sorted(rows, key=lambda row: (row.at, row.id)))
