"""Trading sessions of the New York exchange, as a sorted table that is computed once and kept with the state."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from rebalancer.core.holidays import CLOSED, UNTIL_ONE

NEW_YORK: Final = ZoneInfo("America/New_York")
FIRST_DAY: Final = date(2018, 1, 2)
LAST_DAY: Final = date(2032, 12, 31)
OPENS, CLOSES, EARLY = time(9, 30), time(16), time(13)  # in New York
MICROS: Final = 1_000_000
EXTENDED: Final = 4 * 3600 * MICROS  # the overnight session begins so long before midnight, the last ends so late
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros_of(moment: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(micros: int) -> datetime:
    """The UTC moment so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)


class TradingSession(NamedTuple):
    """One core session. `open` and `close` are microseconds since 1970."""

    day: int  # proleptic ordinal, as date.toordinal
    open: int
    close: int

    @property
    def date(self) -> date:
        return date.fromordinal(self.day)


class OutsideCalendar(ValueError):
    """A moment for which no sessions are known."""


class SessionTable:
    """All sessions from 2018 to 2032, looked up by bisection."""

    def __init__(self, sessions: tuple[TradingSession, ...]) -> None:
        assert sessions, "an exchange without sessions never opens"
        self.sessions = sessions
        self.days = [s.day for s in sessions]
        self._opens = [s.open for s in sessions]
        self._closes = [s.close for s in sessions]
        self._extended_ends: list[int] = []

    def require(self, at: int) -> None:
        """Raise OutsideCalendar unless there are sessions on both sides of the moment."""
        if not self._closes[0] < at < self._opens[-1]:
            raise OutsideCalendar(
                f"{moment_of(at).isoformat()} is outside the exchange's calendar: choose a time between "
                f"{self.sessions[1].date} and {self.sessions[-2].date}"
            )

    def current(self, at: int) -> TradingSession | None:
        """The session that contains the moment (open inclusive, close exclusive), or None when closed."""
        index = bisect_right(self._opens, at) - 1
        return self.sessions[index] if index >= 0 and at < self._closes[index] else None

    def next_open(self, at: int) -> TradingSession:
        """The first session that opens after the moment."""
        return self.sessions[bisect_right(self._opens, at)]

    def next_close(self, at: int) -> TradingSession:
        """The first session that closes after the moment: the current one while open."""
        return self.sessions[bisect_right(self._closes, at)]

    def last_opened(self, at: int) -> TradingSession:
        """The latest session that has opened at the moment."""
        return self.sessions[bisect_right(self._opens, at) - 1]

    def last_closed(self, at: int) -> TradingSession:
        """The latest session that has closed at the moment."""
        return self.sessions[bisect_right(self._closes, at) - 1]

    def before(self, session: TradingSession) -> TradingSession:
        """The session before this one."""
        return self.sessions[max(bisect_left(self.days, session.day) - 1, 0)]

    def extended_end(self, at: int) -> int | None:
        """When the extended trading day of a moment ends, or None between two of them."""
        start, end = self._extended(self.sessions[bisect_right(self._ends_from(), at)])
        return end if start <= at else None

    def next_extended_start(self, at: int) -> int:
        """When the next extended trading day begins: at the moment itself inside one."""
        start, _ = self._extended(self.sessions[bisect_right(self._ends_from(), at)])
        return max(start, at)

    def is_overnight(self, at: int) -> bool:
        """Whether a moment lies in the part of an extended day before 04:00."""
        if self.extended_end(at) is None:
            return False
        return moment_of(at).astimezone(NEW_YORK).hour not in range(4, 20)

    def _ends_from(self) -> list[int]:
        """Ends of the extended days: four hours after each close."""
        if not self._extended_ends:
            self._extended_ends = [close + EXTENDED for close in self._closes]
        return self._extended_ends

    def _extended(self, session: TradingSession) -> tuple[int, int]:
        """The extended trading day of a session: from 20:00 New York of the evening before to four hours after it."""
        return midnight_new_york(session.day) - EXTENDED, session.close + EXTENDED

    def between(self, first: int, last: int) -> tuple[TradingSession, ...]:
        """Sessions whose day ordinal lies in [first, last]."""
        return self.sessions[bisect_left(self.days, first) : bisect_right(self.days, last)]


@cache
def build_sessions() -> tuple[TradingSession, ...]:
    """The table, holidays and half days included."""
    closed, until_one = _days(CLOSED), _days(UNTIL_ONE)
    weekdays = (day for day in range(FIRST_DAY.toordinal(), LAST_DAY.toordinal() + 1) if day % 7 not in (0, 6))
    return tuple(
        TradingSession(day, _in_new_york(day, OPENS), _in_new_york(day, EARLY if day in until_one else CLOSES))
        for day in weekdays
        if day not in closed
    )


def _days(written: Mapping[int, str]) -> frozenset[int]:
    return frozenset(
        date.fromisoformat(f"{year}-{day}").toordinal() for year in written for day in written[year].split()
    )


def _in_new_york(day: int, at: time) -> int:
    return micros_of(datetime.combine(date.fromordinal(day), at, NEW_YORK).astimezone(UTC))


@lru_cache(maxsize=1024)
def midnight_new_york(day: int) -> int:
    """Midnight in New York of a day ordinal, in microseconds: the time stamp of a daily stock bar."""
    local = datetime.combine(date.fromordinal(min(day, date.max.toordinal())), datetime.min.time(), NEW_YORK)
    return micros_of(local.astimezone(UTC))


def new_york_day(at: int) -> int:
    """The ordinal of the calendar day in New York at a moment."""
    return moment_of(at).astimezone(NEW_YORK).date().toordinal()


def crypto_day_end(at: int) -> int:
    """The next 00:00 UTC after a moment, in microseconds."""
    day = 24 * 3600 * MICROS
    return (at // day + 1) * day
