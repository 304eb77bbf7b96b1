"""Find the positions that have reached their stop or target at the current quotes.

Longs are compared at the bid and shorts at the ask: the price that an exit would actually get. A quote that may not be
traded on (stale, crossed, one-sided, too wide) triggers nothing; its symbol is reported as `blind` instead, since a
position without a usable price is not protected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.facts import Quote
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.rules import Quotes
from rebalancer.planning.exit_levels import ExitLevel
from rebalancer.planning.validate_signals import quote_problem


class StopTrigger(NamedTuple):
    """An exit level that has been reached. `price` is the bid for a long, the ask for a short."""

    level: ExitLevel
    kind: Literal["stop", "target"]
    price: Decimal
    because: Reasons


class StopTriggers(NamedTuple):
    """The result of one price check: the exit levels reached, and per symbol why it could not be checked."""

    triggers: tuple[StopTrigger, ...]
    blind: Mapping[str, Reasons]


def stop_triggers(levels: Sequence[ExitLevel], quotes: Sequence[Quote], as_of: datetime, rules: Quotes) -> StopTriggers:
    """Compare every exit level with the newest quote of its symbol."""
    newest: dict[str, Quote] = {}
    for quote in sorted(quotes, key=lambda q: (q.at, q.symbol)):
        newest[quote.symbol] = quote
    triggers: list[StopTrigger] = []
    blind: dict[str, Reasons] = {}
    for level in levels:
        found = newest.get(level.symbol)
        problem = because(ReasonCode.NO_QUOTE) if found is None else _problem(found, as_of, rules)
        if found is None or problem is not None:
            blind[level.symbol] = problem or because(ReasonCode.NO_QUOTE)
            continue
        reached = _reached(level, found)
        if reached is not None:
            triggers.append(reached)
    return StopTriggers(tuple(triggers), blind)


def _problem(quote: Quote, as_of: datetime, rules: Quotes) -> Reasons | None:
    return quote_problem(quote, as_of, rules.max_age_seconds, Decimal(str(rules.max_spread)))


def _reached(level: ExitLevel, quote: Quote) -> StopTrigger | None:
    is_long = level.qty > 0
    price = quote.bid if is_long else quote.ask
    assert price is not None, "a quote without this side is no price"
    side = 1 if is_long else -1
    name = "bid" if is_long else "ask"
    if (price - level.stop) * side <= 0:
        why = because(ReasonCode.STOP_REACHED, quote=name, price=price, level=level.stop)
        return StopTrigger(level, "stop", price, why)
    if (price - level.target) * side >= 0:
        why = because(ReasonCode.TARGET_REACHED, quote=name, price=price, level=level.target)
        return StopTrigger(level, "target", price, why)
    return None
