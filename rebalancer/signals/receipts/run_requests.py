"""Requests for one extra cycle: whoever may execute asks the running session to consider a symbol now.

A request is a row of the inbox. It trades nothing by itself: the session decides whether it runs the cycle, under every
cap and budget, and a request that nobody took within `FRESH` is forgotten. Its signal stays and has its fate.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import Final, NamedTuple

from rebalancer.journal.chain import stamp

FRESH: Final = timedelta(seconds=30)
TABLE: Final = """CREATE TABLE IF NOT EXISTS run_requests (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        symbol TEXT NOT NULL,
        signal_id TEXT NOT NULL,
        asked_at TEXT NOT NULL
    )"""
_KEPT: Final = timedelta(days=1)


class RunRequest(NamedTuple):
    """One request, with the signal that it is about."""

    n: int
    symbol: str
    signal_id: str


def add_request(connection: Connection, symbol: str, signal_id: str, at: datetime) -> None:
    """Add a request; at: aware, by the machine's clock. Old ones are deleted."""
    connection.execute("DELETE FROM run_requests WHERE asked_at < ?", (stamp(at - _KEPT),))
    connection.execute(
        "INSERT INTO run_requests (symbol, signal_id, asked_at) VALUES (?, ?, ?)", (symbol, signal_id, stamp(at))
    )


def requests_after(connection: Connection, n: int, now: datetime) -> tuple[RunRequest, ...]:
    """The requests after number `n` that are still fresh, oldest first; now: aware, by the machine's clock."""
    rows = connection.execute(
        "SELECT n, symbol, signal_id FROM run_requests WHERE n > ? AND asked_at >= ? ORDER BY n",
        (n, stamp(now - FRESH)),
    )
    return tuple(RunRequest._make(row) for row in rows.fetchall())
