"""The clock and the days of the exchange's city. Days, sessions and books are New York's; moments are UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")


def in_new_york(moment: datetime) -> datetime:
    """The same moment on New York's clock."""
    return moment.astimezone(NEW_YORK)


def day_in_new_york(moment: datetime) -> date:
    """The calendar day in New York."""
    return moment.astimezone(NEW_YORK).date()


def midnight_in_new_york(moment: datetime) -> datetime:
    """The start of that day, on New York's clock."""
    return moment.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)


def from_new_york(day: date, at: time) -> datetime:
    """A time of New York's clock on a day, in UTC."""
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)
