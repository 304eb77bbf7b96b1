"""Upgrade a journal file to this program's schema, or refuse it. Alembic is imported only if an upgrade is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.store import Store

NEWEST: Final = "0001"  # the newest file in migrations/versions
_VERSION: Final = re.compile(r"[0-9]{4}")
MIGRATIONS: Final = Path(__file__).with_name("migrations")


def upgrade(store: Store, newest: str = NEWEST, migrations: Path = MIGRATIONS) -> None:
    """Upgrade the file to schema `newest`, keeping a copy of the old file. Raises JournalBroken.

    All migrations run in one transaction: a crash leaves either the old schema or the new one.
    """
    checkpoint = store.head.read()  # read before the file, which another process may be writing
    with store.reading() as connection:
        found = version_of(connection, store.path)
    if found == newest:
        return
    if found is None:
        if checkpoint is not None:
            raise store.head.behind(checkpoint[0], 0)
    elif found > newest:
        raise JournalBroken(
            f"{store.path}: has schema {found}, this program knows {newest}\n"
            "  hint: a newer rebalancer wrote it; install that one again"
        )
    else:
        _keep_copy(store, found)
    with store.locked() as connection:
        if version_of(connection, store.path) == found:  # else another process was faster
            _run(connection, newest, migrations)


def version_of(connection: Connection, path: Path) -> str | None:
    """The schema version; None for an empty file. Raises JournalBroken when it is another program's database."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    version: object = None
    if "alembic_version" in tables and "events" in tables:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        raise JournalBroken(f"{path}: is a database, but not a journal\n  hint: choose another file")
    return version


def _keep_copy(store: Store, found: str) -> None:
    target = store.path.with_name(f"{store.path.name}.schema-{found}")
    if target.exists():  # from an earlier attempt; its copy is at most older, and just as good
        return
    store.copy_into(target)


def _run(connection: Connection, newest: str, migrations: Path) -> None:
    from alembic.command import upgrade as run_migrations
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    run_migrations(config, newest)
