"""The exchange seen from its own process, without a request: what has changed, and the newest prices.

For a client that shares the process and passes simulated time quickly: it can tell that its requests would be answered
as they were before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.exchange.calendar import moment_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.market.prices import usd


class Newest(NamedTuple):
    """The newest quote and trade of one symbol, USD, and their time: what its snapshot says."""

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    at: datetime


def revision(exchange: Exchange) -> int | None:
    """A number that grows with every change of this moment or before, but not with a price. None while rules of faults
    are in force, which may change any answer."""
    with exchange.reading():
        return None if exchange.faults.are_set else exchange.revision


def newest(exchange: Exchange, symbols: Sequence[str]) -> list[Newest]:
    """The newest prices of the symbols that have any, written as AAPL or BTC/USD. Rules of faults are left out."""
    market, found = exchange.market, []
    with exchange.reading() as at:
        for symbol in symbols:
            listing = market.listings.get(symbol)
            if listing is not None and listing.tradable:
                tick = market.tick(listing, at)
                found.append(Newest(symbol, usd(tick.bid), usd(tick.ask), usd(tick.trade), moment_of(tick.at)))
    return found
