"""The lifecycle of an order: its allowed state transitions, and how its events fold into the latest record.

                 +-> WITHHELD, NOT_SENT, REFUSED
    INTENDED ----+-> OPEN --> FILLED, CANCELED, EXPIRED, REPLACED, REFUSED
                 +-> UNKNOWN <--> OPEN, and every end but WITHHELD

INTENDED means "may have been sent". UNKNOWN becomes REFUSED only with the broker's own id of the order, because a
refusal of a second attempt says nothing about the first; whoever ends it as NOT_SENT must have waited longer than
every timeout between here and the broker. An order that was ended without the broker's id and then appears at the
broker is reopened: the broker is authoritative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.errors import JournalBroken
from rebalancer.core.facts import Day
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO, decimal_of, text_of
from rebalancer.journal.records import Event, OrderRecord

_S = OrderState
_ENDED_AT_BROKER: Final = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REPLACED})
_WITHOUT_FILL: Final = frozenset({_S.INTENDED, _S.REFUSED, _S.NOT_SENT, _S.WITHHELD})
_NOTHING: Final[frozenset[OrderState]] = frozenset()
NEXT_STATES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    _S.INTENDED: _ENDED_AT_BROKER | {_S.OPEN, _S.UNKNOWN, _S.REFUSED, _S.NOT_SENT, _S.WITHHELD},
    _S.UNKNOWN: _ENDED_AT_BROKER | {_S.UNKNOWN, _S.OPEN, _S.REFUSED, _S.NOT_SENT},
    _S.OPEN: _ENDED_AT_BROKER | {_S.OPEN, _S.UNKNOWN, _S.REFUSED},
    _S.REFUSED: _NOTHING,
    _S.NOT_SENT: _NOTHING,
    _S.WITHHELD: _NOTHING,
    **dict.fromkeys(sorted(_ENDED_AT_BROKER), _NOTHING),
}
_MAY_REOPEN: Final = frozenset({_S.REFUSED, _S.NOT_SENT})
_REOPENED_AS: Final = _ENDED_AT_BROKER | {_S.OPEN}


class Change(NamedTuple):
    """A change in what is known about an order. None for `broker_id` or the price means that it is unchanged."""

    at: datetime
    state: OrderState
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    broker_id: str | None
    reason: str
    message: str


def changed(order: OrderRecord, change: Change) -> OrderRecord:
    """The order after the change. Raises JournalBroken when the state transition or the fills are not allowed.

    A change with nothing new returns the same order, so applying it twice has no further effect.
    """
    after = order._replace(
        at=change.at,
        state=change.state,
        filled_qty=change.filled_qty,
        filled_avg_price=order.filled_avg_price if change.filled_avg_price is None else change.filled_avg_price,
        broker_id=order.broker_id if change.broker_id is None else change.broker_id,
        reason=change.reason,
        message=change.message,
    )
    same_facts = after._replace(at=order.at, reason=order.reason, message=order.message) == order
    same_words = (change.reason, change.message) == (order.reason, order.message)
    if same_facts and (same_words or order.state.is_final):
        return order
    if change.state not in NEXT_STATES[order.state] and not reopens(order, after):
        raise _refused(order, f"cannot go from {order.state} to {change.state}")
    if order.state is _S.UNKNOWN and change.state is _S.REFUSED and after.broker_id is None:
        raise _refused(order, "is UNKNOWN: only a look-up that shows it refused ends it, not a second attempt")
    if order.broker_id is not None and after.broker_id != order.broker_id:
        raise _refused(order, f"is {order.broker_id} at the broker and cannot become {after.broker_id}")
    if change.filled_qty < order.filled_qty:
        raise _refused(order, f"has filled {text_of(order.filled_qty)}; {text_of(change.filled_qty)} is less")
    if change.filled_qty > ZERO and change.state in _WITHOUT_FILL:
        raise _refused(order, f"cannot be {change.state} with {text_of(change.filled_qty)} filled")
    if change.filled_qty == ZERO and change.state is _S.FILLED:
        raise _refused(order, "cannot be FILLED with nothing filled")
    return after


def reopens(before: OrderRecord, after: OrderRecord) -> bool:
    """Whether the broker reported an order that we had ended without knowing its broker id."""
    return (
        before.state in _MAY_REOPEN
        and before.broker_id is None
        and after.broker_id is not None
        and after.state in _REOPENED_AS
    )


class OrderFold(NamedTuple):
    """An order's latest record; `attempted` is True unless the order is known never to have left this machine."""

    order: OrderRecord
    attempted: bool


def fold(events: Iterable[Event]) -> dict[str, OrderFold]:
    """Fold order events, in the order they were written, into the latest state by client order id."""
    found: dict[str, OrderFold] = {}
    for event in events:
        key, body = event.key or "", event.body
        if event.kind == "order_intended":
            found[key] = OrderFold(intended(event), attempted=True)
            continue
        if key not in found:
            raise JournalBroken(f"journal row {event.seq} changes the order {key!r}, which was never intended")
        before = found[key].order
        price = body["filled_avg_price"]
        order = before._replace(
            state=OrderState(body["state"]),
            filled_qty=decimal_of(body["filled_qty"]),
            filled_avg_price=None if price is None else decimal_of(price),
            broker_id=body["broker_id"],
            reason=body["reason"],
            message=body["message"],
            at=event.at,
        )
        # Only a NOT_SENT or WITHHELD that directly follows the intent proves that nothing was sent.
        silent = before.state is _S.INTENDED and order.state in (_S.NOT_SENT, _S.WITHHELD)
        found[key] = OrderFold(order, attempted=not silent)
    return found


def intended(event: Event) -> OrderRecord:
    """The record of an order for which only the intent is known."""
    body = event.body
    return OrderRecord(
        client_order_id=event.key or "",
        cycle_id=event.cycle_id or "",
        account_id=event.account_id,
        phase=body["phase"],
        symbol=body["symbol"],
        side=body["side"],
        qty=decimal_of(body["qty"]),
        body=body["body"],
        body_sha256=body["body_sha256"],
        state=OrderState.INTENDED,
        filled_qty=ZERO,
        filled_avg_price=None,
        broker_id=None,
        reason="",
        message="",
        intended_at=event.at,
        at=event.at,
    )


def day_of(folded: Iterable[OrderFold]) -> Day:
    """Count the orders that were sent or may have been sent."""
    by_symbol: dict[str, int] = {}
    for order, attempted in folded:
        if attempted:
            by_symbol[order.symbol] = by_symbol.get(order.symbol, 0) + 1
    return Day(sum(by_symbol.values()), by_symbol)


def _refused(order: OrderRecord, problem: str) -> JournalBroken:
    return JournalBroken(f"order {order.client_order_id} of cycle {order.cycle_id} {problem}")
