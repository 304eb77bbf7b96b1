"""The store of receipts: its tables, and the writes that build it from the inbox and the journal.

Everything in it is derived, so a commit need not survive a power cut: the cursors are committed together with what was
derived up to them, and what is missing is derived again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Final, NamedTuple, Self

from rebalancer.signals.receipts.database import SignalDatabase
from rebalancer.signals.receipts.final_outcome import NOT_DECIDED, PENDING

NAME: Final = "signals.sqlite"
_EDITION: Final = 1
_SOME: Final = 500  # ids named in one statement
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS receipts (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        signal_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        source TEXT NOT NULL,
        kind TEXT NOT NULL, -- score, target, hold; refused: no signal
        received_at TEXT NOT NULL,
        issued_at TEXT NOT NULL,
        at_arrival INTEGER NOT NULL, -- 1: issued_at is when it was received
        content TEXT NOT NULL,
        content_sha256 TEXT NOT NULL,
        outcome TEXT NOT NULL,
        because TEXT NOT NULL,
        cycle_id TEXT, -- the cycle that gave the outcome
        decided_at TEXT,
        seen_on TEXT NOT NULL -- the last day on which a cycle read it
    )""",
    "CREATE INDEX IF NOT EXISTS ix_receipts_received ON receipts (received_at, n)",
    "CREATE INDEX IF NOT EXISTS ix_receipts_signal ON receipts (signal_id)",
    "CREATE INDEX IF NOT EXISTS ix_receipts_source ON receipts (source, symbol, issued_at, n)",
    "CREATE INDEX IF NOT EXISTS ix_receipts_pending ON receipts (n) WHERE outcome = 'PENDING'",
    """CREATE TABLE IF NOT EXISTS orders (
        client_order_id TEXT PRIMARY KEY,
        cycle_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        phase TEXT NOT NULL,
        side TEXT NOT NULL,
        qty TEXT NOT NULL,
        state TEXT NOT NULL,
        filled_qty TEXT NOT NULL,
        filled_avg_price TEXT,
        broker_id TEXT,
        intended_at TEXT NOT NULL,
        at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS ix_orders_cycle ON orders (cycle_id)",
    "CREATE INDEX IF NOT EXISTS ix_orders_intended ON orders (intended_at)",
    """CREATE TABLE IF NOT EXISTS fills (
        client_order_id TEXT NOT NULL,
        seq INTEGER NOT NULL, -- the journal's row that reported it
        at TEXT NOT NULL,
        qty TEXT NOT NULL,
        price TEXT,
        PRIMARY KEY (client_order_id, seq)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS receipt_orders (
        receipt INTEGER NOT NULL,
        client_order_id TEXT NOT NULL,
        PRIMARY KEY (receipt, client_order_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS ix_receipt_orders_order ON receipt_orders (client_order_id)",
    "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)


class NewReceipt(NamedTuple):
    """A receipt to be added. Times are texts as the journal stamps them."""

    id: str
    signal_id: str
    symbol: str
    source: str
    kind: str
    received_at: str
    issued_at: str
    at_arrival: int
    content: str
    content_sha256: str
    outcome: str = PENDING
    because: str = NOT_DECIDED
    cycle_id: str | None = None
    decided_at: str | None = None


class KnownOutcome(NamedTuple):
    """The present outcome of a receipt and the cycle that gave it."""

    n: int
    outcome: str
    cycle_id: str | None


class ReceiptOutcome(NamedTuple):
    """A new outcome for the receipt with row number `n`."""

    n: int
    outcome: str
    because: str
    cycle_id: str | None
    at: str


class ReceiptStore:
    """One open store. Safe to share between threads, and between processes that each open it."""

    def __init__(self, database: SignalDatabase) -> None:
        self.database = database

    @classmethod
    def open(cls, path: Path, wait_seconds: float) -> Self:
        """Open a store, creating it when missing. wait_seconds: how long to wait for another writer. Raises
        SignalsUnavailable."""
        return cls(SignalDatabase(path, _TABLES, _EDITION, wait_seconds, durable=False))

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction."""
        with self.database.writing() as connection:
            yield connection

    def cursor(self, name: str) -> str | None:
        """A remembered position; None before the first."""
        with self.database.reading() as connection:
            return cursor(connection, name)


def cursor(connection: Connection, name: str) -> str | None:
    """A remembered position; None before the first."""
    found = connection.execute("SELECT value FROM cursors WHERE name = ?", (name,)).fetchone()
    return None if found is None else str(found[0])


def set_cursor(connection: Connection, name: str, value: str) -> None:
    """Remember a position."""
    connection.execute("INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)", (name, value))


def add_receipts(connection: Connection, new: Iterable[NewReceipt]) -> int:
    """Add receipts; one that is there stays as it is, but for the day on which it was last seen. Returns how many are
    new."""
    names = NewReceipt._fields
    before = connection.total_changes
    connection.executemany(
        f"INSERT OR IGNORE INTO receipts ({', '.join(names)}, seen_on) "  # noqa: S608  constants only
        f"VALUES ({', '.join('?' * len(names))}, ?)",
        [(*row, row.received_at[:10]) for row in new],
    )
    return connection.total_changes - before


def see(connection: Connection, ids: Sequence[str], day: str) -> None:
    """Note the day on which receipts were read again: one write a day for each."""
    connection.executemany("UPDATE receipts SET seen_on = ? WHERE id = ? AND seen_on < ?", [(day, i, day) for i in ids])


def decided(connection: Connection, ids: Sequence[str]) -> dict[str, KnownOutcome]:
    """The present outcome of receipts, by id."""
    found: dict[str, KnownOutcome] = {}
    for start in range(0, len(ids), _SOME):
        some = ids[start : start + _SOME]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(f"SELECT id, n, outcome, cycle_id FROM receipts WHERE id IN ({marks})", some)  # noqa: S608
        found |= {row[0]: KnownOutcome(*row[1:]) for row in rows}
    return found


def decide(connection: Connection, decisions: Iterable[ReceiptOutcome]) -> None:
    """Give receipts a new outcome."""
    connection.executemany(
        "UPDATE receipts SET outcome = ?, because = ?, cycle_id = ?, decided_at = ? WHERE n = ?",
        [(d.outcome, d.because, d.cycle_id, d.at, d.n) for d in decisions],
    )


def link_orders(connection: Connection, links: Iterable[tuple[int, str]]) -> None:
    """Connect receipts, by row number, with orders."""
    connection.executemany("INSERT OR IGNORE INTO receipt_orders (receipt, client_order_id) VALUES (?, ?)", links)
