"""Check the whole journal: pages, chain, orders, documents, claims.

1. The database's own integrity check: pages and indexes.
2. Every event in turn: number, predecessor, hash; the events of the orders must fold along the state graph's records.
3. Every document that a plan names is there and unaltered, and no other.
4. Every claim has its `cycle_started` or `slot` event, and the other way round.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from rebalancer.world.journal import sqlite
from rebalancer.world.journal.chain import GENESIS, ORDER_KINDS, Row, event_of, stamp
from rebalancer.world.journal.documents import text_of_row
from rebalancer.world.journal.orders import fold
from rebalancer.world.journal.records import NO_CYCLE, Event
from rebalancer.world.journal.schema import claims, documents, events
from rebalancer.world.ports import JournalBroken

_BATCH = 500


def verify(connection: Connection, place: str) -> int:
    """Count the rows checked. Raises JournalBroken naming the first bad one."""
    sqlite.check_integrity(connection, place)
    told = _events(connection)
    kept = _documents(connection, told)
    claimed = _claims(connection, told)
    return len(told) + kept + claimed


def _events(connection: Connection) -> list[Event]:
    told: list[Event] = []
    seq, row_hash = 0, GENESIS
    rows = connection.execution_options(yield_per=_BATCH).execute(select(events).order_by(events.c.seq))
    for found in rows:
        row = Row._make(found)
        if row.seq != seq + 1:
            raise JournalBroken(f"journal row {seq + 1} is missing: row {seq} is followed by {row.seq}")
        event = event_of(row)
        if row.prev_hash != row_hash:
            raise JournalBroken(f"journal row {row.seq} does not follow row {seq}: the chain is cut between them")
        seq, row_hash = row.seq, row.hash
        told.append(event)
    fold(event for event in told if event.kind in ORDER_KINDS)
    return told


def _documents(connection: Connection, told: list[Event]) -> int:
    names = ("snapshot_sha256", "rules_sha256", "plan_sha256")
    wanted = {event.body[name]: event.seq for event in told if event.kind == "cycle_planned" for name in names}
    count = 0
    for row in connection.execution_options(yield_per=_BATCH).execute(select(documents)):
        text_of_row(*row)
        if wanted.pop(row.sha256, None) is None:
            raise JournalBroken(f"the document {row.sha256} belongs to no cycle")
        count += 1
    for name, seq in wanted.items():
        raise JournalBroken(f"journal row {seq} names the document {name}, which is missing")
    return count


def _claims(connection: Connection, told: list[Event]) -> int:
    wanted = {
        (event.account_id, event.cycle_id, stamp(event.at), _mode_of(event), event.body["holder"]): event.seq
        for event in told
        if event.kind in ("cycle_started", "slot")
    }
    count = 0
    for row in connection.execute(select(claims)):
        if wanted.pop(tuple(row), None) is None:
            raise JournalBroken(f"the claim of cycle {row.cycle_id} by {row.account_id} fits no event of the journal")
        count += 1
    for claim, seq in wanted.items():
        raise JournalBroken(f"journal row {seq} starts the cycle {claim[1]}, whose claim is missing")
    return count


def _mode_of(event: Event) -> str | None:
    return NO_CYCLE if event.kind == "slot" else event.key
