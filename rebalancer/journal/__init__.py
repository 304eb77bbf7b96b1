"""The journal: what the rebalancer did, meant to do and was told, append-only and hash-chained.

It holds the one writer and the one reader of the journal, its records, backups and verification. Every row is checked
when it is read; what cannot be trusted is an error. It imports `core`, `brokers.protocol` and `ops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebalancer.journal.records import CycleEnd, CycleRecord, CycleStart, Event, Intent, OrderRecord

if TYPE_CHECKING:
    from rebalancer.journal.journal import Journal

__all__ = ["CycleEnd", "CycleRecord", "CycleStart", "Event", "Intent", "Journal", "OrderRecord"]


def __getattr__(name: str) -> object:
    """Import SQLAlchemy only for those who open a journal: it costs more than a whole `status`."""
    if name == "Journal":
        from rebalancer.journal.journal import Journal

        return Journal
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
