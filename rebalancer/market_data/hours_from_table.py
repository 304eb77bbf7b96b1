"""The New York exchange's sessions from the table of its holidays: a millisecond, where the calendar library takes half
a second to load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from typing import Final

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.holidays import CLOSED, UNTIL_ONE
from rebalancer.core.new_york import from_new_york
from rebalancer.core.schedule import CLOSES, OPENS

EARLY_CLOSE: Final = time(13)


def hours_from_table(first: date, last: date) -> tuple[TradingHours, ...]:
    """The sessions from `first` to `last`, both included; none outside 2018 to 2032."""
    return tuple(_sessions(first, last))


def _sessions(first: date, last: date) -> Iterator[TradingHours]:
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        name = f"{day:%m-%d}"
        if day.weekday() < 5 and day.year in CLOSED and name not in CLOSED[day.year].split():
            close = EARLY_CLOSE if name in UNTIL_ONE[day.year].split() else CLOSES
            yield TradingHours(day, from_new_york(day, OPENS), from_new_york(day, close))
