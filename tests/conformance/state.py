"""One hash over everything an exchange remembers, to see whether a request has changed anything."""

from __future__ import annotations

import hashlib
from typing import Final

from rebalancer.exchange.core import Exchange

_CLOCKS: Final = ("clock", "caught_up", "running")  # go on by themselves


def state_hash(exchange: Exchange) -> str:
    """SHA-256 of every row of every table, but for the clock's readings."""
    digest = hashlib.sha256()
    with exchange.lock:
        tables = exchange.store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            rows = exchange.store.execute(f"SELECT * FROM {table}").fetchall()
            for row in sorted(map(repr, (row for row in rows if row[0] not in _CLOCKS))):
                digest.update(f"{table}|{row}\n".encode())
    return digest.hexdigest()
