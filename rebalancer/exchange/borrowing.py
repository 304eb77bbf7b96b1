"""Names that turn hard or easy to borrow on a day: what the listing says holds until the first change.

A change takes effect at midnight in New York. When a name turns hard to borrow, orders that would open a short in it
are cancelled; who is short already keeps the position and, with charges on, pays the borrow fee.
"""

from __future__ import annotations

import json
from bisect import insort
from typing import TYPE_CHECKING, Final, NamedTuple

from rebalancer.exchange.calendar import midnight_new_york, new_york_day
from rebalancer.exchange.market.listing import Listing

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange

_KEY: Final = "borrowing"


class BorrowChange(NamedTuple):
    """From this day (an ordinal) on a name is easy to borrow, or not."""

    day: int
    symbol: str
    easy: bool


class BorrowPlan:
    """All changes, oldest first. Few, so that a scan is quick."""

    def __init__(self, stored: str | None) -> None:
        self.changes = [BorrowChange(*row) for row in json.loads(stored or "[]")]

    def applied(self, listing: Listing, at: int) -> Listing:
        """The listing as it stands at a moment."""
        easy = [change.easy for change in self.changes if change.symbol == listing.symbol and _since(change) <= at]
        return listing._replace(shortable=easy[-1]) if easy else listing


def schedule_borrowing(exchange: Exchange, change: BorrowChange) -> None:
    """Let a name change. Raises ValueError for a name that cannot be borrowed, and for a day that has begun."""
    with exchange.request() as at:
        listing = exchange.market.listings.get(change.symbol)
        if listing is None or listing.is_crypto or not listing.tradable:
            raise ValueError(f"{change.symbol} is not an equity that trades")
        if _since(change) <= at:
            raise ValueError(f"{change.symbol}: the day of the change has begun; such changes come overnight")
        others = [one for one in exchange.borrowing.changes if one[:2] != change[:2]]
        insort(others, change)
        exchange.borrowing.changes = others
        exchange.store.set_meta(_KEY, json.dumps(others))


def load_borrowing(exchange: Exchange) -> BorrowPlan:
    """The plan from the store."""
    return BorrowPlan(exchange.store.meta(_KEY))


def cancel_shorts(exchange: Exchange, at: int) -> None:
    """At midnight: cancel the orders that would open a short in a name that turns hard to borrow today."""
    today = new_york_day(at)
    turned = {one.symbol for one in exchange.borrowing.changes if one.day == today and not one.easy}
    for order in tuple(exchange.orders.values()):
        if order.symbol in turned and order.position_intent == "sell_to_open" and order.is_open:
            exchange.cancel(order, at, at_once=True)


def _since(change: BorrowChange) -> int:
    return midnight_new_york(change.day)
