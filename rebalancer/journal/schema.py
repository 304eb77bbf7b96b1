"""The journal's tables after the newest migration. Three are append-only; users may write to `signals`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata: Final = MetaData()

events: Final = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("cycle_id", Text),
    Column("kind", Text, nullable=False),
    Column("key", Text),
    Column("body", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_events_kind_account_seq", "kind", "account_id", "seq"),  # the last end, the kill switch
    Index("ix_events_kind_account_at", "kind", "account_id", "at"),  # orders since a moment
    Index("ix_events_kind_account_key", "kind", "account_id", "key"),  # orders that have not ended
    Index("ix_events_kind_key", "kind", "key"),  # one order
    Index("ix_events_cycle_kind", "cycle_id", "kind"),  # everything about one cycle
)

# A second safeguard behind the checks in `writing.py`: no id is intended twice, no cycle ends twice.
_INTENDED: Final = text("kind = 'order_intended'")
_ENDED: Final = text("kind = 'cycle_ended'")
Index("uq_events_intent", events.c.key, unique=True, sqlite_where=_INTENDED)
Index("uq_events_end", events.c.account_id, events.c.cycle_id, unique=True, sqlite_where=_ENDED)

documents: Final = Table(
    "documents",  # snapshots, rules and plans, stored in full; the `cycle_planned` event says which is which
    metadata,
    Column("sha256", Text, primary_key=True),  # of the text
    Column("body", LargeBinary, nullable=False),  # zlib
    Column("body_sha256", Text, nullable=False),  # of the stored bytes: some flips in zlib padding change no text
)

claims: Final = Table(
    "claims",  # at most one batch per slot: the primary key guarantees it
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("cycle_id", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("holder", Text, nullable=False),
)

signals: Final = Table(
    "signals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("source", Text, nullable=False),
    Column("issued_at", Text, nullable=False),  # RFC 3339 with an offset
    Column("stop_price", Text),
    Column("target_price", Text),
    Column("inserted_at", Text),
    Index("ix_signals_issued_at", "issued_at"),
)
