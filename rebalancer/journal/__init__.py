"""The journal: what the rebalancer did, meant to do and was told, append-only and hash-chained.

Start at `journal.py` (the API), then `records.py` (what goes in and comes out), `chain.py` (one row) and `orders.py`
(how the events of an order fold into its state). `glance.py` answers a few questions without SQLAlchemy; that is why
`Journal` is only imported when it is asked for.
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
