"""When names turn hard or easy to borrow: what the listing says holds until the first change."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from rebalancer.exchange.calendar import midnight_new_york
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.store import Store

BORROWING: Final = "borrowing"  # its key in the store


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
        easy = [change.easy for change in self.changes if change.symbol == listing.symbol and since(change) <= at]
        return listing._replace(shortable=easy[-1]) if easy else listing


def load_borrowing(store: Store) -> BorrowPlan:
    """The plan from the store."""
    return BorrowPlan(store.meta(BORROWING))


def since(change: BorrowChange) -> int:
    """The midnight from which on a change holds."""
    return midnight_new_york(change.day)
