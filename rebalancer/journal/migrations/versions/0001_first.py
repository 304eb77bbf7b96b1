"""The first schema: events, documents, claims, signals.

There is no downgrade: a journal only grows. An older program refuses a newer schema; to go back, restore the copy that
was kept before the upgrade.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rebalancer.journal.sqlite import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, their indexes and the triggers that keep three of them append-only."""
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("cycle_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
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
        op.create_index(name, "events", columns, unique=True, sqlite_where=where)
    op.create_table(
        "documents",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("body_sha256", sa.Text, nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("cycle_id", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
    )
    op.create_table(
        "signals",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("issued_at", sa.Text, nullable=False),
        sa.Column("stop_price", sa.Text),
        sa.Column("target_price", sa.Text),
        sa.Column("inserted_at", sa.Text),
    )
    op.create_index("ix_signals_issued_at", "signals", ["issued_at"])
    for table, key in (("events", ["seq"]), ("documents", ["sha256"]), ("claims", ["account_id", "cycle_id"])):
        for statement in append_only(table, *key):
            op.execute(statement)
