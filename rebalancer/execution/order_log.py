"""What the order manager logs about each order: intended, answered, ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import text_of
from rebalancer.ops.logs.context import LogEvent, note
from rebalancer.planning.verdicts import OrderEnd

LOG: Final = logging.getLogger("rebalancer.world.desk")
_ANSWERS: Final = {
    "accepted": LogEvent.ORDER_ACCEPTED,
    "refused": LogEvent.ORDER_REFUSED,
    "unknown": LogEvent.ORDER_UNKNOWN,
}
_ENDS: Final = {OrderState.FILLED: LogEvent.ORDER_FILLED, OrderState.UNKNOWN: LogEvent.ORDER_UNKNOWN}


def note_intended(cycle_id: str, orders: Sequence[Order]) -> None:
    """Log the orders that are about to be sent."""
    for order in orders:
        _note(LogEvent.ORDER_INTENDED, cycle_id, order, "intended")


def note_answer(cycle_id: str, order: Order, result: SendResult) -> None:
    """Log how the broker answered a post. An order that was never sent is logged when it ends."""
    if result.kind in _ANSWERS:
        why = ": ".join(part for part in (result.reason, result.message) if part and part != result.kind)
        _note(_ANSWERS[result.kind], cycle_id, order, f"{result.kind}{': ' if why else ''}{why}")


def note_ends(cycle_id: str, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> None:
    """Log how each order of a phase ended."""
    for order in orders:
        end = ends.get(order.client_order_id)
        if end is None:
            continue
        event = _ENDS.get(end.state, LogEvent.ORDER_ENDED)
        _note(event, cycle_id, order, f"{end.state}, {text_of(end.filled_qty)} filled")


def _note(event: LogEvent, cycle_id: str, order: Order, said: str) -> None:
    text = f"order {order.client_order_id}: {order.side} {text_of(order.qty)} {order.symbol}: {said}"
    note(LOG, event, text, cycle=cycle_id, symbol=order.symbol, order=order.client_order_id)
