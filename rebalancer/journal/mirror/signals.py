"""The rows of the `signals` table, which users may write, change and remove, unlike all others.

New rows are found by SQLite's row number, which a table without a number of its own may give again after rows were
removed, and may change when it is compacted: so the last row seen must still have its number, or all rows are compared.
What was changed or removed is found by comparing all rows too, which is done when the process starts and once an hour.
Imports no SQLAlchemy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from rebalancer.journal.conditions import Ask, where

PAGE: Final = 200
NAMES: Final = (
    "id", "symbol", "score", "confidence", "source", "issued_at", "stop_price", "target_price", "inserted_at",
)  # fmt: skip
_TEXTS: Final = ("id", "symbol", "source", "issued_at")
_MAYBE_TEXTS: Final = ("stop_price", "target_price", "inserted_at")
_NUMBERS: Final = ("score", "confidence")
_COLUMNS: Final = ", ".join(NAMES)
Row = dict[str, Any]


class LastSeen(NamedTuple):
    """A row of a file by SQLite's number, and its id as stored."""

    number: int
    id: object


def newer(ask: Ask, after: LastSeen | None) -> tuple[list[Row], LastSeen | None]:
    """The next rows of a file after a row (None: from the first on), at most `PAGE`, and the last of them. Rows that
    PostgreSQL cannot hold are left out: SQLite takes any value in any column, and no cycle can read such a row."""
    bound = "" if after is None else "WHERE rowid > :after "
    query = f"SELECT rowid, {_COLUMNS} FROM signals {bound}ORDER BY rowid LIMIT {PAGE:d}"  # noqa: S608
    found = ask(query, {} if after is None else {"after": after.number})
    rows = [dict(zip(NAMES, row[1:], strict=True)) for row in found]
    last = LastSeen(int(found[-1][0]), found[-1][1]) if found else after
    return [_as_numbers(row) for row in rows if _is_storable(row)], last


def is_there(ask: Ask, row: LastSeen | None) -> bool:
    """Whether a row still has its number; true of None."""
    return row is None or ask("SELECT id FROM signals WHERE rowid = :number", {"number": row.number}) == [(row.id,)]


def differing(ask: Ask, wanted: Sequence[Row]) -> list[Row]:
    """Those of these rows that a mirror does not hold as they are."""
    these = where(id=[row["id"] for row in wanted])
    rows = ask(f"SELECT {_COLUMNS} FROM signals WHERE {these.text}", these.values)  # noqa: S608  constants only
    there = {row[0]: dict(zip(NAMES, row, strict=True)) for row in rows}
    return [row for row in wanted if there.get(row["id"]) != row]


def ids_after(ask: Ask, last: str) -> list[str]:
    """The next ids of a mirror, at most `PAGE`."""
    return [row[0] for row in ask(f"SELECT id FROM signals WHERE id > :last ORDER BY id LIMIT {PAGE:d}",  # noqa: S608
                                  {"last": last})]  # fmt: skip


def missing(ask: Ask, ids: Sequence[str]) -> list[str]:
    """Those of these ids that a file does not have."""
    these = where(id=ids)
    there = {row[0] for row in ask(f"SELECT id FROM signals WHERE {these.text}", these.values)}  # noqa: S608
    return [one for one in ids if one not in there]


def _is_storable(row: Row) -> bool:
    texts = [row[name] for name in _TEXTS]
    texts += [row[name] for name in _MAYBE_TEXTS if row[name] is not None]
    return all(map(_is_text, texts)) and all(_is_number(row[name]) for name in _NUMBERS)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not math.isnan(value)


def _as_numbers(row: Row) -> Row:
    return row | {name: float(row[name]) for name in _NUMBERS}
