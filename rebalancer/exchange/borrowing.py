"""Names that turn hard or easy to borrow on a day: what the listing says holds until the first change.

A change takes effect at midnight in New York. When a name turns hard to borrow, orders that would open a short in it
are cancelled; who is short already keeps the position and, with charges on, pays the borrow fee.
"""

from __future__ import annotations

import json
from bisect import insort

from rebalancer.exchange.borrow_plan import BORROWING, BorrowChange, since
from rebalancer.exchange.calendar import new_york_day
from rebalancer.exchange.groups import cancel
from rebalancer.exchange.state import State


def schedule_borrowing(state: State, change: BorrowChange) -> None:
    """Let a name change. Raises ValueError for a name that cannot be borrowed, and for a day that has begun."""
    with state.request() as at:
        listing = state.market.listings.get(change.symbol)
        if listing is None or listing.is_crypto or not listing.tradable:
            raise ValueError(f"{change.symbol} is not an equity that trades")
        if since(change) <= at:
            raise ValueError(f"{change.symbol}: the day of the change has begun; such changes come overnight")
        others = [one for one in state.borrowing.changes if one[:2] != change[:2]]
        insort(others, change)
        state.borrowing.changes = others
        state.store.set_meta(BORROWING, json.dumps(others))


def cancel_shorts(state: State, at: int) -> None:
    """At midnight: cancel the orders that would open a short in a name that turns hard to borrow today."""
    today = new_york_day(at)
    turned = {one.symbol for one in state.borrowing.changes if one.day == today and not one.easy}
    for order in tuple(state.orders.values()):
        if order.symbol in turned and order.position_intent == "sell_to_open" and order.is_open:
            cancel(state, order, at, at_once=True)
