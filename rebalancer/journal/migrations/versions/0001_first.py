"""The first schema: events, documents, claims, signals; in PostgreSQL also heads and leases.

There is no downgrade: a journal only grows. An older program refuses a newer schema; to go back, restore the copy that
was kept before the upgrade.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rebalancer.journal import postgres, sqlite
from rebalancer.journal.chain import GENESIS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables, their indexes and the triggers that keep three of them append-only."""
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("cycle_id", TEXT),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", TEXT),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("prev_hash", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
    )
    op.create_index("ix_events_kind_account_seq", "events", ["kind", "account_id", "seq"])
    op.create_index("ix_events_kind_account_at", "events", ["kind", "account_id", "at"])
    op.create_index("ix_events_kind_account_key", "events", ["kind", "account_id", "key"])
    op.create_index("ix_events_kind_key", "events", ["kind", "key"])
    op.create_index("ix_events_cycle_kind", "events", ["cycle_id", "kind"])
    for name, columns, kind in (
        ("uq_events_intent", ["key"], "order_intended"),
        ("uq_events_end", ["account_id", "cycle_id"], "cycle_ended"),
    ):
        where = sa.text(f"kind = '{kind}'")
        op.create_index(name, "events", columns, unique=True, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "documents",
        sa.Column("sha256", TEXT, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("body_sha256", TEXT, nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("account_id", TEXT, primary_key=True),
        sa.Column("cycle_id", TEXT, primary_key=True),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
    )
    op.create_table(
        "signals",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("issued_at", TEXT, nullable=False),
        sa.Column("stop_price", TEXT),
        sa.Column("target_price", TEXT),
        sa.Column("inserted_at", TEXT),
    )
    op.create_index("ix_signals_issued_at", "signals", ["issued_at"])
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if is_postgres:
        _create_what_files_do()
    for table, key in (("events", ["seq"]), ("documents", ["sha256"]), ("claims", ["account_id", "cycle_id"])):
        for statement in postgres.append_only(table) if is_postgres else sqlite.append_only(table, *key):
            op.execute(statement)


def _create_what_files_do() -> None:
    """The tables that PostgreSQL has alone: for SQLite the file and its locks do the same."""
    heads = op.create_table(
        "heads",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(heads.insert().values(id=1, seq=0, hash=GENESIS, written_at=sa.func.clock_timestamp()))
    op.create_table(
        "leases",
        sa.Column("account_id", TEXT, primary_key=True),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(postgres.REFUSE_CHANGE)
