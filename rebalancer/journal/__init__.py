"""The journal: what the rebalancer intended, did and was told by the broker; append-only and hash-chained.

This package holds the journal's only writer and reader, its records, backups and verification. Every row is checked
when it is read; data that fails the check is an error. It imports `core`, `brokers.protocol` and `ops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebalancer.journal.records import CycleEnd, CycleRecord, CycleStart, Event, Intent, OrderRecord

if TYPE_CHECKING:
    from rebalancer.journal.journal import Journal

__all__ = ["CycleEnd", "CycleRecord", "CycleStart", "Event", "Intent", "Journal", "OrderRecord"]


def __getattr__(name: str) -> object:
    """Import SQLAlchemy only for callers that open a journal: the import takes longer than a whole `status`."""
    if name == "Journal":
        from rebalancer.journal.journal import Journal

        return Journal
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
