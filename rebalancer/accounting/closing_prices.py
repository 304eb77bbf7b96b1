"""The prices used to close a day: the last trade of everything held, read together with the account they explain.

Prices explain the books and never decide whether a day can be closed: if the broker does not answer, there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from rebalancer.accounting.day_books import Close, Holding, Priced
from rebalancer.brokers.protocol import ReadBroker
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Account, Position, Quote
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import CENT, ZERO


class ClosingPrices(NamedTuple):
    """Prices by symbol, of what is held and of what was transferred in kind, and the benchmark's last trade if it was
    on that day."""

    held: Mapping[str, Decimal] = {}
    moved: Mapping[str, Decimal] = {}
    benchmark: Close = Close()


def read_prices(
    broker: ReadBroker, positions: Iterable[Position], benchmark: str, day: date, moved: Iterable[str] = ()
) -> ClosingPrices:
    """The last trades, in one request; no prices when the broker is unavailable. moved: symbols transferred in kind."""
    gone = frozenset(moved)
    held = sorted(p.symbol for p in positions if p.qty != ZERO)
    try:
        quotes = broker.quotes(sorted({*held, *gone, benchmark} - {""}))
    except BrokerUnavailable:
        return ClosingPrices()
    last = last_trades(quotes)
    own = [q for q in quotes if q.symbol == benchmark and day_in_new_york(q.at) == day]
    close = Close(benchmark, last[benchmark]) if own and benchmark in last else Close()
    return ClosingPrices({s: last[s] for s in held if s in last}, {s: last[s] for s in gone if s in last}, close)


def last_trades(quotes: Sequence[Quote]) -> dict[str, Decimal]:
    """The price of the last trade by symbol."""
    return {q.symbol: q.last for q in quotes if q.last is not None and q.last > ZERO}


def explain(account: Account, positions: Iterable[Position], prices: Mapping[str, Decimal]) -> bool:
    """Whether cash plus positions at these prices equal the equity that the broker reported, to the cent."""
    held = [p for p in positions if p.qty != ZERO]
    if any(p.symbol not in prices for p in held):
        return False
    return abs(account.equity - account.cash - sum((p.qty * prices[p.symbol] for p in held), ZERO)) <= CENT


def priced(positions: Mapping[str, Holding], prices: Mapping[str, Decimal]) -> dict[str, Priced] | None:
    """Positions with their prices; None if any price is missing."""
    if not positions.keys() <= prices.keys():
        return None
    return {symbol: Priced(one.qty, prices[symbol]) for symbol, one in positions.items()}
