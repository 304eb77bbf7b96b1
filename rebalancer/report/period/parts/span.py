"""The periods of editions: the days that make up a day, week, month or year."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from rebalancer.core.new_york import day_in_new_york
from rebalancer.market_data.trading_calendar import midnight_after
from rebalancer.report.period.records import Period


class Span(NamedTuple):
    """A period in New York days, both included."""

    period: Period
    first: date
    last: date

    @property
    def begins(self) -> datetime:
        """Midnight in New York before the first day."""
        return midnight_after(self.first - timedelta(days=1))

    @property
    def ends(self) -> datetime:
        """Midnight in New York after the last day."""
        return midnight_after(self.last)

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies in the period."""
        return self.first <= day_in_new_york(moment) <= self.last


def span_of(period: Period, day: date, oldest: date) -> Span:
    """The period that contains a day; `all` begins with the oldest day on record."""
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return Span(period, monday, monday + timedelta(days=6))
    if period == "month":
        first = day.replace(day=1)
        return Span(period, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
    if period == "year":
        return Span(period, day.replace(month=1, day=1), day.replace(month=12, day=31))
    return Span(period, oldest, day) if period == "all" else Span(period, day, day)
