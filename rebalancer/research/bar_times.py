"""The times of bars and instructions, as files write them.

A column of days (2026-11-20, or midnight throughout) gives daily bars: each stands for 16:00 in New York of its day.
Any other column gives moments. Moments with offsets are converted, whatever the offsets; moments without any are New
York's. Both kinds in one column, and days between moments, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.new_york import NEW_YORK, from_new_york
from rebalancer.core.schedule import CLOSES
from rebalancer.research.market import Integers
from rebalancer.signals.local_dates import local_date_problem

SECOND: Final = 1_000_000_000  # nanoseconds
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_COMPACT: Final = re.compile(r"[12][0-9]{3}[01][0-9][0-3][0-9]")
_EPOCH: Final = re.compile(r"[0-9]{9,19}(?:\.0)?")
_MIDNIGHT: Final = time(0)


class BarTimes(NamedTuple):
    """`ns`: nanoseconds since 1970, UTC. `day`: ordinal of the date in New York. `is_daily`: the column held days.
    `is_naive`: it held moments without an offset. `offsets`: how many different offsets it held."""

    ns: Integers
    day: Integers
    is_daily: bool
    is_naive: bool = False
    offsets: int = 1


def read_times(cells: Sequence[object], where: Callable[[int], str]) -> BarTimes:
    """Read a column. where: the place of an element, for messages. Raises BadDocument."""
    found = [_moment(cell, i, where) for i, cell in enumerate(cells)]
    if all(not isinstance(one, datetime) or _is_midnight(one) for one in found):
        days = [one.date() if isinstance(one, datetime) else one for one in found]
        return BarTimes(closes_of_days(days), np.array([d.toordinal() for d in days], dtype=np.int64), True)
    first_naive = first_aware = None
    offsets = set()
    moments: list[datetime] = []
    for i, one in enumerate(found):
        if not isinstance(one, datetime):
            hint = "write a time in every row, or a day in every row"
            raise BadDocument(where(i), f"{one} is a day, and other rows hold times", hint)
        if one.tzinfo is None:
            first_naive = i if first_naive is None else first_naive
            one = one.replace(tzinfo=NEW_YORK)
        else:
            first_aware = i if first_aware is None else first_aware
            offsets.add(one.utcoffset())
        moments.append(one)
    if first_naive is not None and first_aware is not None:
        later = max(first_naive, first_aware)
        problem = f"{cells[later]} has {'no' if later == first_naive else 'an'} offset, unlike rows before it"
        raise BadDocument(where(later), problem, "write every time with its offset, as 2026-11-20T15:35:00Z")
    ns = np.array([nanoseconds(one) for one in moments], dtype=np.int64)
    days = [one.astimezone(NEW_YORK).date() for one in moments]
    ordinals = np.array([d.toordinal() for d in days], dtype=np.int64)
    return BarTimes(ns, ordinals, False, first_naive is not None, len(offsets) or 1)


def nanoseconds(moment: datetime) -> int:
    """An aware moment as nanoseconds since 1970."""
    gap = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds * 1000


def moment_at(ns: int) -> datetime:
    """The aware UTC moment, to the microsecond."""
    seconds, rest = divmod(int(ns), SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def closes_of_days(days: Sequence[date]) -> Integers:
    """16:00 in New York of every day."""
    return np.array([nanoseconds(from_new_york(day, CLOSES)) for day in days], dtype=np.int64)


def _is_midnight(one: object) -> bool:
    """Midnight on its own clock, or on New York's."""
    if not isinstance(one, datetime):
        return False
    return one.time() == _MIDNIGHT or (one.tzinfo is not None and one.astimezone(NEW_YORK).time() == _MIDNIGHT)


def _moment(cell: object, i: int, where: Callable[[int], str]) -> date | datetime:
    """A day or a moment, aware or naive as it was written; midnight in New York, however written, is that day."""
    if isinstance(cell, datetime):
        found = cell.to_pydatetime(warn=False) if hasattr(cell, "to_pydatetime") else cell
        return _day_if_new_yorks(found) if isinstance(found, datetime) else _refuse(cell, i, where)
    if isinstance(cell, date):
        return cell
    if cell is None or cell != cell or not str(cell).strip():
        raise BadDocument(where(i), "has no time", "write a day such as 2026-11-20, or remove the row")
    text = str(cell).strip()
    local = local_date_problem(text)
    if local is not None:
        raise BadDocument(where(i), local, "write it as 2026-04-03")
    try:
        if len(text) == 10 and text[4] == "-":
            return date.fromisoformat(text)
        if _COMPACT.fullmatch(text):
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        if not _EPOCH.fullmatch(text):
            return _day_if_new_yorks(datetime.fromisoformat(text))
    except ValueError:
        pass
    return _refuse(text, i, where)


def _day_if_new_yorks(moment: datetime) -> date | datetime:
    if moment.tzinfo is not None and moment.time() != _MIDNIGHT:
        local = moment.astimezone(NEW_YORK)
        if local.time() == _MIDNIGHT:
            return local
    return moment


def _refuse(cell: object, i: int, where: Callable[[int], str]) -> date:
    raise BadDocument(where(i), f"{str(cell)[:40]!r} is not a time", "write 2026-11-20, or 2026-11-20T15:35:00Z")
