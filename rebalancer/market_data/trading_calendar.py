"""The slots of a trading day, computed by a pure function from trading hours.

Hours come from the exchange's published calendar (pandas-market-calendars) narrowed by the broker's own: a day missing
from either is not a trading day, and the later open and the earlier close apply. Slots are counted from the open, so
that daylight saving changes in New York have no effect; their ids are in UTC.

A schedule may ask for one slot a day, week or month instead, at a time of New York's clock. A time that a short session
does not reach is moved to as long before its close as it is before 16:00: on a half day 15:45 becomes 12:45.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import version
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.holidays import CLOSED, COMPARED_WITH
from rebalancer.core.new_york import day_in_new_york, from_new_york
from rebalancer.core.schedule import CLOSES, Schedule
from rebalancer.market_data.hours_from_table import hours_from_table

_LIBRARY: Final = "pandas-market-calendars"
_YEARS_KEPT: Final = 2
MINUTE: Final = timedelta(minutes=1)
CALENDAR_BACK: Final = timedelta(days=31)  # how much calendar a schedule needs before a day: the rest of its month
CALENDAR_AHEAD: Final = timedelta(days=45)  # and after it, to find the next slot: a month, and the end of that month


class Slot(NamedTuple):
    """A time at which a cycle is due. `id` is also the id of its cycle, such as `2026-11-20T15:35Z`."""

    id: str
    at: datetime
    crypto_only: bool = False


class TradingDay(NamedTuple):
    """One day in New York. `hours` is None when stocks do not trade; `ends` is when its books can be closed."""

    day: date
    hours: TradingHours | None
    slots: tuple[Slot, ...]
    ends: datetime


def trading_day(day: date, hours: TradingHours | None, interval_minutes: int, *, around_the_clock: bool) -> TradingDay:
    """All slots of a day in New York, in time order.

    Stock slots occur every `interval_minutes` from the open until before the close. With `around_the_clock`, there are
    also crypto-only slots outside these hours, at multiples of the interval since midnight UTC, from midnight to
    midnight in New York (23 or 25 hours when clocks change).
    """
    assert hours is None or hours.day == day, "hours of another day"
    slots = _stock_slots(hours, interval_minutes) if hours is not None else []
    if around_the_clock:
        slots += _crypto_slots(day, hours, interval_minutes)
    ends = hours.close if hours is not None else from_new_york(day, CLOSES)
    return TradingDay(day, hours, tuple(sorted(slots, key=lambda slot: slot.at)), ends)


def scheduled_day(
    day: date, calendar: Sequence[TradingHours], schedule: Schedule, *, around_the_clock: bool
) -> TradingDay:
    """A day in New York and its slots, as the schedule says.

    calendar: the sessions around the day, at least those of its whole month. Crypto-only slots exist for schedules in
    minutes alone.
    """
    hours = hours_of(day, calendar)
    if schedule.minutes is not None:
        return trading_day(day, hours, schedule.minutes, around_the_clock=around_the_clock)
    ends = hours.close if hours is not None else from_new_york(day, CLOSES)
    if hours is None or not _is_due(day, calendar, schedule):
        return TradingDay(day, hours, (), ends)
    at = _time_of_day(hours, schedule)
    return TradingDay(day, hours, (Slot(slot_id(at), at),), ends)


def next_slot(
    after: datetime, calendar: Sequence[TradingHours], schedule: Schedule, *, around_the_clock: bool
) -> Slot | None:
    """The first slot after a moment; None when the calendar does not reach so far. `CALENDAR_BACK` and `CALENDAR_AHEAD`
    say how much of it is needed."""
    today = day_in_new_york(after)
    for ahead in range(CALENDAR_AHEAD.days):
        day = scheduled_day(today + timedelta(days=ahead), calendar, schedule, around_the_clock=around_the_clock)
        found = next((slot for slot in day.slots if slot.at > after), None)
        if found is not None:
            return found
    return None


def narrowed(published: Iterable[TradingHours], brokers: Iterable[TradingHours]) -> tuple[TradingHours, ...]:
    """The hours common to both calendars, in time order: a market closed in either one is closed."""
    theirs = {hours.day: hours for hours in brokers}
    both = (
        TradingHours(ours.day, max(ours.open, theirs[ours.day].open), min(ours.close, theirs[ours.day].close))
        for ours in published
        if ours.day in theirs
    )
    return tuple(sorted(hours for hours in both if hours.open < hours.close))


def published_hours(first: date, last: date) -> tuple[TradingHours, ...]:
    """The New York Stock Exchange's sessions from `first` to `last`, both included, with holidays and half days.

    As pandas_market_calendars has them. Its years that were compared with our table come from there; for any other year
    or edition it is loaded, which takes about half a second. Whole years are kept: their holidays take long.
    """
    if last.year - first.year > _YEARS_KEPT:
        return _published(first, last)
    years = (hours for year in range(first.year, last.year + 1) for hours in _published_year(year))
    return tuple(hours for hours in years if first <= hours.day <= last)


@lru_cache(2 * _YEARS_KEPT)
def _published_year(year: int) -> tuple[TradingHours, ...]:
    hours = hours_from_table if year in CLOSED and version(_LIBRARY) == COMPARED_WITH else _published
    return hours(date(year, 1, 1), date(year, 12, 31))


def _published(first: date, last: date) -> tuple[TradingHours, ...]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # caused by the library's own pandas calls, not by ours
        import pandas_market_calendars  # type: ignore[import-untyped] # ships no type marker

        schedule = pandas_market_calendars.get_calendar("NYSE").schedule(first.isoformat(), last.isoformat())
    return tuple(
        TradingHours(day.date(), opens.to_pydatetime().astimezone(UTC), closes.to_pydatetime().astimezone(UTC))
        for day, opens, closes in zip(schedule.index, schedule["market_open"], schedule["market_close"], strict=True)
    )


def midnight_after(day: date) -> datetime:
    """The end of a day in New York, in UTC."""
    return from_new_york(day + timedelta(days=1), time())


def slot_id(at: datetime) -> str:
    """The id of a slot: its minute in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def hours_of(day: date, hours: Sequence[TradingHours]) -> TradingHours | None:
    """The hours of one day; None when stocks do not trade on it."""
    return next((one for one in hours if one.day == day), None)


def _stock_slots(hours: TradingHours, interval_minutes: int) -> list[Slot]:
    step = timedelta(minutes=interval_minutes)
    count = -((hours.open - hours.close) // step)  # rounded up: the last one may be shorter
    return [Slot(slot_id(at), at) for at in (hours.open + number * step for number in range(count))]


def _crypto_slots(day: date, hours: TradingHours | None, interval_minutes: int) -> list[Slot]:
    begin, end = from_new_york(day, time()), midnight_after(day)
    midnights = (datetime.combine(day + timedelta(days=ahead), time(), UTC) for ahead in (0, 1))
    steps = range(0, 24 * 60, interval_minutes)  # each UTC day counts from its own midnight
    moments = [midnight + step * MINUTE for midnight in midnights for step in steps]
    return [
        Slot(slot_id(at), at, crypto_only=True)
        for at in moments
        if begin <= at < end and not (hours is not None and hours.open <= at < hours.close)
    ]


def _is_due(day: date, calendar: Sequence[TradingHours], schedule: Schedule) -> bool:
    """Whether a trading day is the first or last one of its week or month."""
    if schedule.per == "day":
        return True
    same = [hours.day for hours in calendar if _period(hours.day, schedule) == _period(day, schedule)]
    return day == (min(same) if schedule.place == "first" else max(same))


def _period(day: date, schedule: Schedule) -> tuple[int, int]:
    """The week or the month of a day."""
    return day.isocalendar()[:2] if schedule.per == "week" else (day.year, day.month)


def _time_of_day(hours: TradingHours, schedule: Schedule) -> datetime:
    """The time of the schedule on a trading day, always within its session."""
    at = from_new_york(hours.day, schedule.at)
    if at >= hours.close - schedule.buffer:
        at -= from_new_york(hours.day, CLOSES) - hours.close
    return max(at, hours.open)
