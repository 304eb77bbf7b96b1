"""How long receipts are kept, and how large the store becomes.

A receipt is deleted when neither its arrival nor any reading of it by a cycle is younger than the limit; orders and
fills go with the last receipt that they belong to. Deleted pages are used again, so the file stops growing once
deletions equal arrivals.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.values import utc_of
from rebalancer.journal.chain import stamp
from rebalancer.ops.disk import free_bytes
from rebalancer.signals.receipts.store import ReceiptStore

LOOK_BACK: Final = timedelta(days=30)  # the arrivals that the forecast is made from
_SOME: Final = 2000  # receipts deleted in one transaction, so that nobody waits long
_PAGES: Final = 2000  # given back to the file system at once


class SizeForecast(NamedTuple):
    """The size of the store in bytes. `per_receipt` includes indexes, orders and fills; `per_day` is receipts a day in
    the 30 days before the newest one, or since the first if that is later; `expected` is the size once receipts are as
    old as they get; `free` is what is left on the disk (None: unknown)."""

    receipts: int
    size: int
    per_receipt: int
    per_day: float
    days: int
    expected: int
    free: int | None


def prune(store: ReceiptStore, before: datetime, is_over: Callable[[], bool] = lambda: False) -> int:
    """Delete the receipts that no one has seen since `before`, and return their number. is_over: asked between
    transactions; the next call goes on."""
    limit, removed = stamp(before), 0
    while True:
        with store.writing() as connection:
            old = connection.execute(
                "SELECT n FROM receipts WHERE received_at < ? AND seen_on < ? ORDER BY received_at LIMIT ?",
                (limit, limit[:10], _SOME),
            ).fetchall()
            connection.executemany("DELETE FROM receipt_orders WHERE receipt = ?", old)
            connection.executemany("DELETE FROM receipts WHERE n = ?", old)
            removed += len(old)
        if len(old) < _SOME or is_over():
            break
    with store.writing() as connection:
        unused = (
            "SELECT client_order_id FROM orders WHERE intended_at < ? AND NOT EXISTS "
            "(SELECT 1 FROM receipt_orders r WHERE r.client_order_id = orders.client_order_id)"
        )
        connection.execute(f"DELETE FROM fills WHERE client_order_id IN ({unused})", (limit,))  # noqa: S608
        connection.execute(f"DELETE FROM orders WHERE client_order_id IN ({unused})", (limit,))  # noqa: S608
    if removed:
        store.database.release_pages(_PAGES)
    return removed


def forecast(store: ReceiptStore, days: int) -> SizeForecast:
    """The size of the store today, and when receipts are kept for `days` days at the present rate."""
    with store.database.reading() as connection:
        count, first, last = connection.execute(
            "SELECT count(*), min(received_at), max(received_at) FROM receipts"
        ).fetchone()
        since = utc_of(last) - LOOK_BACK if count else datetime.min.replace(tzinfo=UTC)
        recent = connection.execute("SELECT count(*) FROM receipts WHERE received_at >= ?", (stamp(since),)).fetchone()
        pages, unused, page = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        trees = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]  # each takes a page when empty
    size = sum(path.stat().st_size for path in _files(store.database.path) if path.exists())
    per_receipt = max(pages - unused - trees, 0) * page // count if count else 0
    span = min(LOOK_BACK, utc_of(last) - utc_of(first)) if count else LOOK_BACK
    per_day = recent[0] / max(span / timedelta(days=1), 1.0)
    return SizeForecast(
        count, size, per_receipt, per_day, days, round(per_receipt * per_day * days), free_bytes(store.database.path)
    )


def _files(path: Path) -> tuple[Path, ...]:
    return path, path.with_name(path.name + "-wal")
