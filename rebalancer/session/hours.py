"""Trading days and their hours: the published calendar narrowed by the broker's, cached for one day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.market_data.trading_calendar import (
    CALENDAR_AHEAD,
    CALENDAR_BACK,
    TradingDay,
    hours_of,
    narrowed,
    next_slot,
    published_hours,
    scheduled_day,
)

LOG: Final = logging.getLogger(__name__)
LOOK_BACK_DAYS: Final = 31  # how many days back slots without any session are recorded as MISSED
DAYS_BACK: Final = timedelta(days=LOOK_BACK_DAYS + 1) + CALENDAR_BACK

Calendar = Callable[[date, date], tuple[TradingHours, ...]]


class Hours:
    """Trading days around today. A day counts only when both calendars have it."""

    def __init__(self, broker: Calendar, rules: Rules, published: Calendar = published_hours) -> None:
        self._broker, self._published = broker, published
        self._schedule = rules.execution.timing
        self._always = rules.session.crypto_around_the_clock
        self._known: tuple[date, tuple[TradingHours, ...]] | None = None

    def day(self, day: date) -> TradingDay:
        """A day and its slots; for days around today."""
        return self._day(day, self._around(day))

    def days_since(self, first: date | None, before: date, most: int) -> Iterator[TradingDay]:
        """The days from `first` on and before `before`, at most `most` days back; none when there is no first."""
        if first is None:
            return
        hours = self._around(before)
        for back in range(min((before - first).days, most), 0, -1):
            yield self._day(before - timedelta(days=back), hours)

    def is_open(self, now: datetime) -> bool:
        """Whether stocks trade now, by the calendars alone."""
        hours = hours_of(day_in_new_york(now), self._around(day_in_new_york(now)))
        return hours is not None and hours.open <= now < hours.close

    def next_open(self, now: datetime) -> datetime | None:
        """When stocks open next; None when that is beyond the part of the calendar that was read."""
        return next((hours.open for hours in self._around(day_in_new_york(now)) if hours.open > now), None)

    def next_slot(self, now: datetime) -> datetime | None:
        """When the next slot after now is due, today or later; None when the calendar does not say."""
        hours = self._around(day_in_new_york(now))
        found = next_slot(now, hours, self._schedule, around_the_clock=self._always)
        return None if found is None else found.at

    def _day(self, day: date, hours: tuple[TradingHours, ...]) -> TradingDay:
        return scheduled_day(day, hours, self._schedule, around_the_clock=self._always)

    def _around(self, day: date) -> tuple[TradingHours, ...]:
        """The hours around a day, read once a day. While the broker's calendar cannot be read the published one is used
        alone: the broker's clock is asked at every slot anyway."""
        if self._known is None or self._known[0] != day:
            first, last = day - DAYS_BACK, day + CALENDAR_AHEAD
            published = self._published(first, last)
            try:
                hours = narrowed(published, self._broker(first, last))
            except BrokerUnavailable as error:
                LOG.warning("the broker's calendar cannot be read, the published one is used: %s", error)
                hours = published
            self._known = (day, hours)
        return self._known[1]
