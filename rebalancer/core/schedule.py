"""When cycles run: the value of `execution.schedule`, read into a `Schedule`.

    every 5m              every five minutes from the open, as `interval_minutes: 5`
    daily 15:45           once on every trading day
    weekly last 15:45     on the last trading day of every week (or the first)
    monthly first 10:00   on the first trading day of every month (or the last)
    drift 0.05            observes every `interval_minutes`, and trades the whole book only when a name is more than
                          0.05 of capital off its target

Times are New York's. The slots of a day are computed in `market_data/trading_calendar.py`.
"""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Final, Literal, NamedTuple

OPENS: Final = time(9, 30)  # of a usual session, New York
CLOSES: Final = time(16)
MINUTES_MAX: Final = 390  # a whole session
FORMS: Final = "every 5m, daily 15:45, weekly last 15:45, monthly first 10:00, or drift 0.05"
_DAY_MINUTES: Final = 24 * 60
_UNITS: Final = {"week": "weekly", "month": "monthly"}


class BadSchedule(ValueError):
    """A text that is no schedule; `hint` says what to write instead."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


class Schedule(NamedTuple):
    """When cycles run. `minutes`: between slots, counted from the open; None for one slot a day, week or month (`per`),
    at `at` New York time on its `place` trading day. `drift`: the fraction of capital that a name must be off its
    target before anything trades; None: every slot trades. `buffer`: no cycle starts this close to the close."""

    minutes: int | None
    per: Literal["day", "week", "month"] = "day"
    place: Literal["first", "last"] = "first"
    at: time = OPENS
    drift: float | None = None
    buffer: timedelta = timedelta(0)

    @property
    def minutes_until_next(self) -> int:
        """The minutes for which the positions of a cycle stand at least until the next one. At least a day where a day
        has only one cycle: nothing follows before the close."""
        return _DAY_MINUTES if self.minutes is None else self.minutes


def schedule_of(text: str | None, interval_minutes: int, buffer_seconds: float = 0) -> Schedule:
    """Read a schedule; None stands for `every` interval. Raises BadSchedule.

    interval_minutes: between the slots of None and of `drift`. buffer_seconds: `execution.close_buffer_seconds`; a time
    of day that is closer to 16:00 is refused, since no cycle would start.
    """
    buffer = timedelta(seconds=buffer_seconds)
    if text is None:
        return Schedule(interval_minutes, buffer=buffer)
    words = text.split()
    kind, rest = (words[0], words[1:]) if words else ("", [])
    if kind == "every" and len(rest) == 1:
        return Schedule(_minutes(rest[0]), buffer=buffer)
    if kind == "drift" and len(rest) == 1:
        return Schedule(interval_minutes, drift=_fraction(rest[0]), buffer=buffer)
    if kind == "daily" and len(rest) == 1:
        return Schedule(None, at=_time(kind, rest[0], buffer), buffer=buffer)
    if kind == "weekly":
        return Schedule(None, "week", _place("week", rest), _time(f"weekly {rest[0]}", rest[1], buffer), buffer=buffer)
    if kind == "monthly":
        return Schedule(
            None, "month", _place("month", rest), _time(f"monthly {rest[0]}", rest[1], buffer), buffer=buffer
        )
    raise BadSchedule(f"{_short(text)} is not a schedule", f"write one of: {FORMS}")


def _place(unit: str, rest: list[str]) -> Literal["first", "last"]:
    word = _UNITS[unit]
    at = rest[-1] if rest and re.fullmatch(r"\d\d:\d\d", rest[-1]) else "15:45"
    if len(rest) == 2:
        if rest[0] == "first":
            return "first"
        if rest[0] == "last":
            return "last"
    which = f"{_short(rest[0])} is neither first nor last" if len(rest) == 2 else "needs first or last, and a time"
    raise BadSchedule(f"{word}: {which}", f"its last trading day: {word} last {at}; its first: {word} first {at}")


def _minutes(text: str) -> int:
    """Whole minutes such as 5m."""
    found = re.fullmatch(r"(\d{1,4})(m|min|h)?", text)
    if found is None:
        raise BadSchedule(f"every {text:.20} is not a number of minutes", "write it as: every 5m")
    minutes = int(found[1]) * (60 if found[2] == "h" else 1)
    if not 1 <= minutes <= MINUTES_MAX:
        longer = "; for one cycle a day: daily 15:45" if minutes > MINUTES_MAX else ""
        raise BadSchedule(f"every {text}: from 1 to {MINUTES_MAX} minutes", f"write it as: every 5m{longer}")
    if found[2] != "m":
        raise BadSchedule(f"every {text} does not end in m", f"write it as: every {minutes}m")
    return minutes


def _fraction(text: str) -> float:
    """A fraction of capital above 0 and below 1."""
    percent = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if percent:
        raise BadSchedule(f"drift {text} is in percent", f"write the fraction: drift {float(percent[1]) / 100:.6g}")
    if re.fullmatch(r"\d+,\d+", text):
        raise BadSchedule(f"drift {text} has a comma", f"write decimals with a point: drift {text.replace(',', '.')}")
    if not re.fullmatch(r"(?:0|[1-9]\d{0,3})?\.?\d{1,12}", text):
        raise BadSchedule(f"drift {text:.20} is not a fraction", "a fraction of capital, such as: drift 0.05")
    value = float(text)
    if value >= 1:
        meant = f"5 % is 0.05; {value:g} % is {value / 100:.6g}" if value < 100 else "5 % is 0.05"
        raise BadSchedule(f"drift {text} must be below 1", f"a fraction of capital: {meant}")
    if value == 0:
        raise BadSchedule("drift 0 must be above 0", "to trade in every slot leave the schedule out, or: every 5m")
    return value


def _time(before: str, text: str, buffer: timedelta) -> time:
    """A time of day within a usual session, early enough for a cycle to start."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if found is None:
        raise BadSchedule(f"{before} {text:.20}: not a time", f"New York time of 24 hours: {before} 15:45")
    at = time(int(found[1]), int(found[2]))
    if len(text) != 5:
        raise BadSchedule(f"{before} {text}: hours have two digits", f"write it as: {before} {at:%H:%M}")
    if not OPENS <= at < CLOSES:
        later = f"; in the afternoon: {before} {at.hour + 12}:{at:%M}" if 1 <= at.hour <= 3 else ""
        raise BadSchedule(
            f"{before} {text}: outside the session, which is 09:30 to 16:00 in New York",
            f"from 09:30, and before 16:00{later}",
        )
    left = timedelta(hours=CLOSES.hour - at.hour, minutes=-at.minute)
    if left <= buffer:
        latest = CLOSES.hour * 60 - int(buffer.total_seconds()) // 60 - 1
        raise BadSchedule(
            f"{before} {text}: no cycle starts within execution.close_buffer_seconds ({buffer.total_seconds():g}) of "
            "the close",
            f"write {before} {latest // 60:02}:{latest % 60:02} or earlier",
        )
    return at


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
