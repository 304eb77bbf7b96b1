"""Check the whole journal: pages, chain, orders, documents, claims.

1. The database's own check of what lies below the rows (pages and indexes) is the caller's.
2. Every event in turn: number, predecessor and hash; the order events must fold into order records.
3. Every document that a plan refers to exists and is unaltered, or an archive has it; and there are no others.
4. Every claim has its `cycle_started` or `slot` event, and vice versa.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Result, Select, select

from rebalancer.core.errors import JournalAltered
from rebalancer.journal.archived import ArchiveRule
from rebalancer.journal.chain import GENESIS, ORDER_KINDS, ChainRow, event_of, linked, stamp
from rebalancer.journal.documents import named_documents, text_of_row
from rebalancer.journal.orders import fold
from rebalancer.journal.records import NO_CYCLE, Event
from rebalancer.journal.schema import claims, documents, events

_BATCH = 500
_Claim = tuple[str, str | None, str, str | None, object]  # account, cycle, time, mode, holder


class _Expected(NamedTuple):
    """What the events say about the other tables, each with its event's number. The events themselves are not kept: a
    year of them would use too much memory."""

    rows: int
    documents: dict[str, int]
    archived: set[str]  # of these, what may be missing
    claims: dict[_Claim, int]


def verify(connection: Connection, progress: Callable[[], None]) -> int:
    """Check every row and return the number of rows. progress: called again and again meanwhile. Raises JournalBroken
    naming the first bad row."""
    expected = _events(connection, progress)
    return expected.rows + _documents(connection, expected, progress) + _claims(connection, expected.claims)


def _events(connection: Connection, progress: Callable[[], None]) -> _Expected:
    named: dict[str, int] = {}
    claimed: dict[_Claim, int] = {}
    of_orders: list[Event] = []
    archive = ArchiveRule()
    seq, row_hash = 0, GENESIS
    with _rows(connection, select(events).order_by(events.c.seq)) as rows:
        for found in rows:
            row = ChainRow._make(found)
            event = event_of(linked(row, seq, row_hash))
            seq, row_hash = row.seq, row.hash
            if seq % _BATCH == 0:
                progress()
            archive.feed(seq, row.account_id, row.cycle_id, row.kind, row.key, row.body)
            if event.kind in ORDER_KINDS:
                of_orders.append(event)
            elif event.kind == "cycle_planned":
                named |= dict.fromkeys(named_documents(event.body), seq)
            elif event.kind in ("cycle_started", "slot"):
                claimed[(event.account_id, event.cycle_id, stamp(event.at), _mode_of(event), event.body["holder"])] = (
                    seq
                )
    fold(of_orders)
    return _Expected(seq, named, archive.missing_allowed, claimed)


def _documents(connection: Connection, expected: _Expected, progress: Callable[[], None]) -> int:
    count, wanted = 0, expected.documents
    with _rows(connection, select(documents)) as rows:
        for row in rows:
            text_of_row(*tuple(row))
            if wanted.pop(row.sha256, None) is None:
                raise JournalAltered(f"the document {row.sha256} belongs to no cycle")
            count += 1
            if count % _BATCH == 0:
                progress()
    for name, seq in wanted.items():
        if name not in expected.archived:
            raise JournalAltered(f"journal row {seq} names the document {name}, which is missing")
    return count


def _claims(connection: Connection, wanted: dict[_Claim, int]) -> int:
    count = 0
    with _rows(connection, select(claims)) as rows:
        for row in rows:
            if wanted.pop(tuple(row), None) is None:
                raise JournalAltered(
                    f"the claim of cycle {row.cycle_id} by {row.account_id} fits no event of the journal"
                )
            count += 1
    for claim, seq in wanted.items():
        raise JournalAltered(f"journal row {seq} starts the cycle {claim[1]}, whose claim is missing")
    return count


def _rows(connection: Connection, query: Select[Any]) -> Result[Any]:
    """The rows as they come, without holding all of them."""
    return connection.execution_options(yield_per=_BATCH).execute(query)


def _mode_of(event: Event) -> str | None:
    return NO_CYCLE if event.kind == "slot" else event.key
