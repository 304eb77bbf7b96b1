"""Whether the position monitor would find what it found last: asked of the embedded exchange on a simulated day.

A look depends on the journal, the broker's orders and positions, the prices and the day, and on nothing else. While
all but the prices are what they were before a look that found nothing to do, and the same function finds nothing to do
at the prices of this moment, the next look would find nothing either. A broker that cannot be asked from within, such
as Alpaca, is looked at every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from rebalancer.core.facts import Quote
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Quotes
from rebalancer.planning.exit_levels import ExitLevel
from rebalancer.planning.stop_triggers import stop_triggers


class MarketWithin(Protocol):
    """The embedded exchange as it stands, without a request. Nothing is told of it that its API would not answer."""

    def revision(self) -> int | None:
        """A number that grows with every change at the exchange but that of a price. None while it answers with
        faults."""
        ...

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        """The quotes of this moment, as its API gives them; no entry for a symbol without one."""
        ...


class Before(NamedTuple):
    """How everything but the prices stood. `days`: in UTC and in New York."""

    revision: int
    last_row: int
    days: tuple[date, date]


class QuietLook(NamedTuple):
    """What a look found that had nothing to do: the levels that it watched, at a state that has not changed since."""

    before: Before
    watched: tuple[ExitLevel, ...]

    def goes_on(self, market: MarketWithin, last_row: int, now: datetime, rules: Quotes) -> bool:
        """Whether a look now would find nothing to do either. last_row: the journal's newest."""
        if self.before != before_look(market, last_row, now):
            return False
        quotes = market.quotes([level.symbol for level in self.watched])
        found = stop_triggers(self.watched, quotes, now, rules)
        return not found.triggers and not found.blind


def before_look(market: MarketWithin, last_row: int, now: datetime) -> Before | None:
    """How everything but the prices stands; None while the exchange answers with faults."""
    revision = market.revision()
    return None if revision is None else Before(revision, last_row, (now.date(), day_in_new_york(now)))
