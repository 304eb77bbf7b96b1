"""Read orders, fills and other account activities from Alpaca's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rebalancer.brokers.alpaca.fields import (
    UnreadableField,
    asset_class,
    day,
    loose_symbol,
    maybe_moment,
    maybe_number,
    moment,
    number,
    rows,
    symbol,
    text,
    words,
)
from rebalancer.brokers.protocol import Activity, BrokerFill, BrokerOrder
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO, Side

_STATES: Final = {
    "new": OrderState.OPEN,
    "accepted": OrderState.OPEN,
    "pending_new": OrderState.OPEN,
    "accepted_for_bidding": OrderState.OPEN,
    "partially_filled": OrderState.OPEN,
    "pending_cancel": OrderState.OPEN,
    "pending_replace": OrderState.OPEN,
    "pending_review": OrderState.OPEN,
    "held": OrderState.OPEN,
    "stopped": OrderState.OPEN,  # a fill is guaranteed but has not come
    "suspended": OrderState.OPEN,
    "calculated": OrderState.OPEN,
    "done_for_day": OrderState.OPEN,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "replaced": OrderState.REPLACED,
    "rejected": OrderState.REFUSED,
}
STATUS_WORDS: Final = frozenset(_STATES)
_SIDES: Final[dict[str, Side]] = {"buy": "buy", "sell": "sell", "sell_short": "sell"}
_FILL: Final = "FILL"


def state_of(status: str) -> OrderState:
    """Our state for the broker's status. An order with an unknown status may still fill, so it is OPEN."""
    return _STATES.get(status, OrderState.OPEN)


def read_order(row: Mapping[str, Any]) -> BrokerOrder | None:
    """One order; None for an asset that this program does not trade. Raises UnreadableField."""
    if words(row, "order_class") == "mleg":
        return None  # a multi-leg options order, which has no symbol of its own
    kind = asset_class(row, "asset_class")
    if kind is None:
        return None
    status = text(row, "status")
    return BrokerOrder(
        id=text(row, "id"),
        client_order_id=words(row, "client_order_id"),
        symbol=symbol(row, kind),
        asset_class=kind,
        side=_side(row),
        type=words(row, "type", "order_type"),
        qty=maybe_number(row, "qty"),
        notional=maybe_number(row, "notional"),
        limit_price=maybe_number(row, "limit_price"),
        filled_qty=maybe_number(row, "filled_qty") or ZERO,
        filled_avg_price=maybe_number(row, "filled_avg_price"),
        status=status,
        state=state_of(status),
        submitted_at=maybe_moment(row, "submitted_at") or moment(row, "created_at"),
        filled_at=maybe_moment(row, "filled_at"),
        replaced_by=words(row, "replaced_by") or None,
        order_class=words(row, "order_class"),
        legs=tuple(text(leg, "id") for leg in rows(row.get("legs") or [], "legs")),
        is_understood=status in STATUS_WORDS,
    )


def read_activity(row: Mapping[str, Any]) -> BrokerFill | Activity:
    """One row of the activity list. Raises UnreadableField."""
    kind = text(row, "activity_type")
    if kind == _FILL:
        qty = abs(number(row, "qty"))
        return BrokerFill(
            id=text(row, "id"),
            order_id=text(row, "order_id"),
            symbol=loose_symbol(text(row, "symbol")),
            qty=qty if _side(row) == "buy" else -qty,
            price=number(row, "price"),
            at=moment(row, "transaction_time"),
        )
    name = words(row, "symbol")
    return Activity(
        id=text(row, "id"),
        type=kind,
        symbol=loose_symbol(name) if name else None,
        qty=maybe_number(row, "qty") or ZERO,
        amount=maybe_number(row, "net_amount") or ZERO,
        on=day(row, "date" if row.get("date") else "created_at"),
    )


def _side(row: Mapping[str, Any]) -> Side:
    side = _SIDES.get(text(row, "side"))
    if side is None:
        raise UnreadableField(f"side is {row['side']!r:.60}")
    return side
