"""How many orders and fills a stretch of time has: one count for pages, JSON and exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from rebalancer.accounting.order_history import OUTSIDE, is_resting_exit
from rebalancer.core.outcomes import OrderState
from rebalancer.journal.records import OrderRecord
from rebalancer.performance.records import AccountHistory


class OrderCounts(NamedTuple):
    """`orders` are our own, with an intent in the journal, exits included; a pair of exits that rests at the broker
    counts when it trades. `orders_filled` of them filled completely. `fills` are all executions; `fills_by_hand` those
    of them that belong to no order of ours."""

    orders: int = 0
    orders_filled: int = 0
    fills: int = 0
    fills_by_hand: int = 0


def order_counts(
    orders: Sequence[OrderRecord], history: AccountHistory, holds: Callable[[datetime], bool]
) -> OrderCounts:
    """Count what lies in a stretch of time: orders by the moment of their intent, executions by their own.

    orders: those of `order_history.orders_of`. holds: whether a moment belongs to it.
    """
    own = [order for order in orders if order.state is not OrderState.WITHHELD and holds(order.intended_at)]
    exits = [h for h in history.order_histories.values() if is_resting_exit(h) and holds(h.sent_at)]
    fills = [fill for fill in history.fills if holds(fill.at)]
    by_hand = {name for name, h in history.order_histories.items() if h.source == OUTSIDE}
    return OrderCounts(
        orders=len(own) + len(exits),
        orders_filled=sum(o.state is OrderState.FILLED for o in own) + sum(h.filled_qty >= h.qty for h in exits),
        fills=len(fills),
        fills_by_hand=sum(fill.order_id in by_hand for fill in fills),
    )
