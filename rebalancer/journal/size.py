"""What a journal's bytes are made of, and how fast they grow. The same figures for both kinds of database.

Bytes are those of the stored values; what a database adds (indexes, page headers, free pages) is one line of its own,
and grows in proportion.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

from rebalancer.journal.conditions import Ask
from rebalancer.journal.documents import NAMED

WINDOW_DAYS: Final = 30
DAYS_A_YEAR: Final = 365.25
_WEEK: Final = 7
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
    `WINDOW_DAYS` days up to the newest event: events and bytes on a day that has any, and on how many days of a week
    that is so. None without events."""

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
        """The bytes after so many days of the calendar, at the present rate. None without events."""
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
    documents, of_day = _documents(ask)
    kinds += documents
    for table, row in (("claims", _CLAIM), ("signals", _SIGNAL)):
        rows, size = ask(f"SELECT count(*), coalesce(sum({row}), 0) FROM {table}", {})[0]  # noqa: S608
        kinds += [KindSize(table, "", int(rows), int(size))] if rows else []
    by_day = ask(f"SELECT substr(at, 1, 10), count(*), sum({event}) FROM events GROUP BY 1", {})  # noqa: S608
    days = {date.fromisoformat(day): (int(rows), int(size) + of_day[day]) for day, rows, size in by_day}
    kinds.sort(key=lambda one: (-one.bytes, one.table, one.kind))
    return _with_rates(total, tuple(kinds), days)


def _documents(ask: Ask) -> tuple[list[KindSize], Counter[str]]:
    """The documents by what they are, and their bytes by the day of the first plan that names them."""
    sizes = {str(name): int(size) for name, size in ask("SELECT sha256, length(body) FROM documents", {})}
    rows, used, of_day, seen = Counter[str](), Counter[str](), Counter[str](), set[str]()
    for at, body in ask("SELECT at, body FROM events WHERE kind = 'cycle_planned' ORDER BY seq", {}):
        for role, name in json.loads(body).items():
            if role in NAMED and name in sizes and name not in seen:
                seen.add(name)
                what, size = role.removesuffix("_sha256"), sizes[name] + 2 * len(name)
                rows[what] += 1
                used[what] += size
                of_day[str(at)[:10]] += size
    return [KindSize("documents", what, rows[what], used[what]) for what in rows], of_day


def _with_rates(total: int, kinds: tuple[KindSize, ...], days: Mapping[date, tuple[int, int]]) -> JournalSize:
    if not days:
        return JournalSize(total, kinds, None, None, None, None, None)
    first, last = min(days), max(days)
    window = {day: found for day, found in days.items() if last - day < timedelta(days=WINDOW_DAYS)}
    counted = sum(one.bytes for one in kinds)
    share = total / counted if counted and total > counted else 1.0  # indexes grow with the rows
    span = (last - max(first, min(window))).days + 1
    weekends = any(day.weekday() >= 5 for day in window)
    a_week = len(window) / span * _WEEK if span >= _WEEK else (_WEEK if weekends else 5)
    rows = sum(found[0] for found in window.values()) / len(window)
    used = sum(found[1] for found in window.values()) / len(window)
    return JournalSize(total, kinds, first, last, rows, used * share, float(a_week))
