"""How long a bar lasts: minutes, hours, a day, a week or some months; and the 15 seconds between two trades."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, Literal, NamedTuple

from rebalancer.exchange.calendar import MICROS

Unit = Literal["second", "minute", "hour", "day", "week", "month"]
_SECONDS: Final[dict[Unit, int]] = {"second": 1, "minute": 60, "hour": 3600}
_TEXT: Final = re.compile(r"([0-9]{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS: Final[dict[str, Unit]] = {
    "Min": "minute", "T": "minute", "Hour": "hour", "H": "hour", "Day": "day", "D": "day", "Week": "week", "W": "week",
    "Month": "month", "M": "month",
}  # fmt: skip
_COUNTS: Final[dict[Unit, frozenset[int]]] = {
    "minute": frozenset(range(1, 60)),
    "hour": frozenset(range(1, 24)),
    "day": frozenset((1,)),
    "week": frozenset((1,)),
    "month": frozenset((1, 2, 3, 4, 6, 12)),
}


class Frame(NamedTuple):
    """So many units."""

    unit: Unit
    number: int = 1

    @property
    def width(self) -> int:
        """Microseconds of a frame inside a session; 0 for a day and longer."""
        return self.number * _SECONDS.get(self.unit, 0) * MICROS

    def first_day(self, day: int) -> int:
        """The ordinal of the first calendar day of the frame that a day belongs to: a Monday, the first of a month."""
        if self.unit == "week":
            return day - (day - 1) % 7
        if self.unit == "month":
            found = date.fromordinal(day)
            month = (found.year * 12 + found.month - 1) // self.number * self.number
            return date(month // 12, month % 12 + 1, 1).toordinal()
        return day

    @property
    def days_max(self) -> int:
        """Calendar days of a frame, at most."""
        return {"week": 7, "month": 31 * self.number}.get(self.unit, 1)


NODE: Final = Frame("second", 15)
MINUTE: Final = Frame("minute")
DAY: Final = Frame("day")


def frame_of(text: str) -> Frame | None:
    """The frame of "5Min", "1Hour", "1Day", "1Week", "3Month" or a short form ("5T", "1D"); None when it is not one."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    count, unit = int(match[1]), _UNITS[match[2]]
    return Frame(unit, count) if count in _COUNTS[unit] else None
