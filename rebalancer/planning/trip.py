"""Say which positions have reached their stop or their target at the present quotes.

A long is left at the bid and a short at the ask: the price that an exit would really get. A quote that may not be
traded on (stale, crossed, one-sided, too wide) trips nothing; it is told as blindness instead, since a position that
nobody can see is not protected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.facts import Quote
from rebalancer.core.rules import Quotes
from rebalancer.core.values import text_of
from rebalancer.planning.admit import quote_problem
from rebalancer.planning.protect import Guard


class Trip(NamedTuple):
    """A guard that has been reached. `price` is the bid of a long, the ask of a short."""

    guard: Guard
    kind: Literal["stop", "target"]
    price: Decimal
    because: str


class Tripped(NamedTuple):
    """What one look at the prices says: the guards reached, and per symbol why it could not be seen."""

    trips: tuple[Trip, ...]
    blind: Mapping[str, str]


def trip(guards: Sequence[Guard], quotes: Sequence[Quote], as_of: datetime, rules: Quotes) -> Tripped:
    """Compare every guard with the newest quote of its symbol."""
    newest: dict[str, Quote] = {}
    for quote in sorted(quotes, key=lambda q: (q.at, q.symbol)):
        newest[quote.symbol] = quote
    trips: list[Trip] = []
    blind: dict[str, str] = {}
    for guard in guards:
        found = newest.get(guard.symbol)
        problem = "no quote" if found is None else _problem(found, as_of, rules)
        if found is None or problem is not None:
            blind[guard.symbol] = problem or "no quote"
            continue
        reached = _reached(guard, found)
        if reached is not None:
            trips.append(reached)
    return Tripped(tuple(trips), blind)


def _problem(quote: Quote, as_of: datetime, rules: Quotes) -> str | None:
    return quote_problem(quote, as_of, rules.max_age_seconds, Decimal(str(rules.max_spread)))


def _reached(guard: Guard, quote: Quote) -> Trip | None:
    is_long = guard.qty > 0
    price = quote.bid if is_long else quote.ask
    assert price is not None, "a quote without this side is no price"
    side = 1 if is_long else -1
    name = "bid" if is_long else "ask"
    if (price - guard.stop) * side <= 0:
        return Trip(guard, "stop", price, f"{name} {text_of(price)} reached the stop {text_of(guard.stop)}")
    if (price - guard.target) * side >= 0:
        return Trip(guard, "target", price, f"{name} {text_of(price)} reached the target {text_of(guard.target)}")
    return None
