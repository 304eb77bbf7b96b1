"""Upgrade a journal to this program's schema, or refuse it. Alembic is imported only if an upgrade is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.store import Store

NEWEST: Final = "0001"  # the newest file in migrations/versions
_VERSION: Final = re.compile(r"[0-9]{4}")
MIGRATIONS: Final = Path(__file__).with_name("migrations")


def upgrade(store: Store, newest: str = NEWEST, migrations: Path = MIGRATIONS) -> None:
    """Upgrade the journal to schema `newest`, keeping a copy of the old file. Raises JournalBroken.

    All migrations run in one transaction: a crash leaves either the old schema or the new one.
    """
    checkpoint = store.head.read()  # read before the tables, which another process may be making
    with store.reading() as connection:
        found = version_of(connection, store)
    if found == newest:
        return
    if found is None:
        if checkpoint is not None:
            raise store.head.behind(checkpoint[0], 0)
    elif found > newest:
        raise JournalBroken(
            f"{store.place}: has schema {found}, this program knows {newest}\n"
            "  hint: a newer rebalancer wrote it; install that one again"
        )
    else:
        store.database.keep_before_upgrade(found)
    with store.locked() as connection:
        if version_of(connection, store) == found:  # else another process was faster
            _run(connection, newest, migrations)


def version_of(connection: Connection, store: Store) -> str | None:
    """The schema version; None for an empty database. Raises JournalBroken when it is another program's."""
    tables = store.database.tables(connection)
    if not tables:
        return None
    version: object = None
    if {"alembic_version", "events"} <= tables:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        raise JournalBroken(f"{store.place}: is a database, but not a journal\n  hint: choose another one")
    return version


def _run(connection: Connection, newest: str, migrations: Path) -> None:
    from alembic.command import upgrade as run_migrations
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    run_migrations(config, newest)
