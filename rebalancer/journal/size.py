"""What a journal's bytes are made of, and how fast they grow. The same figures for both kinds of database.

Bytes are those of the stored values; what a database adds (indexes, page headers, free pages) is one line of its own,
and grows in proportion.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from rebalancer.journal.conditions import Ask
from rebalancer.journal.documents import NAMED

WINDOW_DAYS: Final = 30
DAYS_A_YEAR: Final = 365.25
_WEEK: Final = 7
_TRADING_DAYS: Final = 5
SATURDAY: Final = 5
_EVENT: Final = (
    "{length}(body) + length(at) + length(account_id) + length(kind) + coalesce(length(cycle_id), 0) "
    "+ coalesce(length(key), 0) + length(prev_hash) + length(hash) + 8"
)
_SIGNAL: Final = "length(id) + length(symbol) + length(source) + length(issued_at) + 24"
_CLAIM: Final = "length(account_id) + length(cycle_id) + length(at) + length(mode) + length(holder)"


class KindSize(NamedTuple):
    """Rows of one kind and their bytes. `table` is events, documents, claims or signals; `kind` is that of the event,
    or what a document is (snapshot, rules, plan)."""

    table: str
    kind: str
    rows: int
    bytes: int


class JournalSize(NamedTuple):
    """The whole: `kinds` with the largest first, `bytes` as the database takes them. The rates are of the last
    `WINDOW_DAYS` days up to the newest cycle or slot: events and bytes a day that has one, and on how many days of a
    week that is so. None without any."""

    bytes: int
    kinds: tuple[KindSize, ...]
    first_day: date | None
    last_day: date | None
    rows_a_day: float | None
    bytes_a_day: float | None
    days_a_week: float | None

    @property
    def other_bytes(self) -> int:
        """Indexes, page headers and free pages."""
        return max(self.bytes - sum(one.bytes for one in self.kinds), 0)

    def after(self, days: float) -> int | None:
        """The bytes after so many days of the calendar, at the present rate. None without cycles."""
        if self.bytes_a_day is None or self.days_a_week is None:
            return None
        return round(self.bytes + self.bytes_a_day * self.days_a_week / _WEEK * days)

    def days_until(self, limit: int) -> float | None:
        """The days of the calendar until a number of bytes is reached, 0 when it is; None when it never is."""
        if self.bytes >= limit:
            return 0.0
        if not self.bytes_a_day or not self.days_a_week:
            return None
        return (limit - self.bytes) / (self.bytes_a_day * self.days_a_week / _WEEK)


def size_of(ask: Ask, total: int) -> JournalSize:
    """Count everything. total: the bytes that the database takes. Reads the whole journal."""
    length = "length" if ask.dialect == "sqlite" else "octet_length"
    event = _EVENT.format(length=length)
    events = ask(f"SELECT kind, count(*), sum({event}) FROM events GROUP BY kind", {})  # noqa: S608  constants only
    kinds = [KindSize("events", str(kind), int(rows), int(size)) for kind, rows, size in events]
    kinds += _documents(ask)
    for table, row in (("claims", _CLAIM), ("signals", _SIGNAL)):
        rows, size = ask(f"SELECT count(*), coalesce(sum({row}), 0) FROM {table}", {})[0]  # noqa: S608
        kinds += [KindSize(table, "", int(rows), int(size))] if rows else []
    kinds.sort(key=lambda one: (-one.bytes, one.table, one.kind))
    begun = "SELECT substr(at, 1, 10), min(seq) FROM events WHERE kind IN ('cycle_started', 'slot') GROUP BY 1"
    days = {date.fromisoformat(day): int(seq) for day, seq in ask(begun, {})}
    if not days:
        return JournalSize(total, tuple(kinds), None, None, None, None, None)
    first, last = min(days), max(days)
    window = [day for day in days if last - day < timedelta(days=WINDOW_DAYS)]
    rows = sum(one.rows for one in kinds if one.table == "events")
    recent = ask("SELECT count(*) FROM events WHERE seq >= :seq", {"seq": min(days[day] for day in window)})[0][0]
    used = total * recent / rows / len(window)  # what a database adds, and documents, grow with the events
    return JournalSize(total, tuple(kinds), first, last, recent / len(window), used, _days_a_week(window))


def _documents(ask: Ask) -> list[KindSize]:
    """The documents by what they are."""
    sizes = {str(name): int(size) for name, size in ask("SELECT sha256, length(body) FROM documents", {})}
    rows, used, seen = Counter[str](), Counter[str](), set[str]()
    for (body,) in ask("SELECT body FROM events WHERE kind = 'cycle_planned' ORDER BY seq", {}):
        for role, name in json.loads(body).items():
            if role in NAMED and name in sizes and name not in seen:
                seen.add(name)
                what = role.removesuffix("_sha256")
                rows[what] += 1
                used[what] += sizes[name] + 2 * len(name)
    return [KindSize("documents", what, rows[what], used[what]) for what in rows]


def _days_a_week(days: Sequence[date]) -> float:
    """On how many days of a week something happens, judged by whole weeks once there are some."""
    span = (max(days) - min(days)).days + 1
    if span >= 2 * _WEEK:
        return len(days) / span * _WEEK
    return float(_WEEK if any(day.weekday() >= SATURDAY for day in days) else _TRADING_DAYS)
