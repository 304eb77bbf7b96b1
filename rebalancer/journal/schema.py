"""The journal's tables after the newest migration, the same in SQLite and in PostgreSQL. Three are append-only; users
may write to `signals`. PostgreSQL has two more, for what a file and its locks do for SQLite: `heads`, whose only row
every writer locks, and `leases`, which say what host trades an account. A schema with a table `mirror` is a copy of
another host's journal."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Float, Index, Integer, LargeBinary, MetaData, Table, text
from sqlalchemy import Text as AnyText

metadata: Final = MetaData()
postgres_metadata: Final = MetaData()  # what PostgreSQL has beside that
# Sorted by code point, as SQLite sorts: stamps and ids are compared, and an index that sorts by a language breaks when
# the operating system's rules of that language change.
Text: Final = AnyText().with_variant(AnyText(collation="C"), "postgresql")

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
Index("uq_events_intent", events.c.key, unique=True, sqlite_where=_INTENDED, postgresql_where=_INTENDED)
Index(
    "uq_events_end",
    events.c.account_id,
    events.c.cycle_id,
    unique=True,
    sqlite_where=_ENDED,
    postgresql_where=_ENDED,
)

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

heads: Final = Table(
    "heads",  # one row: the number and hash of the newest event, 0 and GENESIS before the first
    postgres_metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),  # by the database's clock
)

leases: Final = Table(
    "leases",
    postgres_metadata,
    Column("account_id", Text, primary_key=True),
    Column("token", BigInteger, nullable=False),  # grows with every holder; every transaction of a holder checks it
    Column("holder", Text, nullable=False),  # a state folder of a host, until it restarts
    Column("host", Text, nullable=False),  # its name, for people
    Column("version", Text, nullable=False),  # of the program
    Column("acquired_at", DateTime(timezone=True), nullable=False),  # these three by the database's clock
    Column("renewed_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

mirror: Final = Table(
    "mirror",  # one row; made by the process that copies, removed when the copy becomes a journal of its own
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("host", Text, nullable=False),  # whose journal it is, for people
    Column("started_at", DateTime(timezone=True), nullable=False),  # these by the database's clock
    Column("heard_at", DateTime(timezone=True), nullable=False),  # of the process that copies, last
    Column("level_at", DateTime(timezone=True)),  # when it last had every row
    Column("verified_seq", Integer),  # up to which row it was compared with the journal, and when
    Column("verified_at", DateTime(timezone=True)),
)
