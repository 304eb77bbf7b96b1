"""Open the database of a journal, a file or a schema of PostgreSQL, upgrade it if needed, and check its end."""

from __future__ import annotations

from typing import Final

from rebalancer.journal.agreement import CHEAP_BYTES
from rebalancer.journal.database import Database
from rebalancer.journal.filesystem import prepare_file, refuse_remote
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.sqlite import SqliteDatabase
from rebalancer.journal.store import Store
from rebalancer.journal.upgrade import upgrade

BUSY_TIMEOUT_MS: Final = 5000


def open_store(
    place: Place, *, create: bool = True, busy_timeout_ms: int = BUSY_TIMEOUT_MS, any_file_system: bool = False
) -> Store:
    """The transactions of a journal that is up to date and sound as far as a glance tells. Raises JournalBroken.

    create: a new journal is made unless it is False. any_file_system allows a file on a network file system.
    """
    store = Store(_database(place, create=create, busy_timeout_ms=busy_timeout_ms, any_file_system=any_file_system))
    try:
        upgrade(store)
        with store.reading() as connection:
            store.check_tail(connection)
            store.database.check_storage(store.database.ask_on(connection), CHEAP_BYTES)
    except BaseException:
        store.database.close()
        raise
    return store


def _database(place: Place, *, create: bool, busy_timeout_ms: int, any_file_system: bool) -> Database:
    if isinstance(place, PostgresPlace):
        from rebalancer.journal.postgres_database import PostgresDatabase

        return PostgresDatabase(place, busy_timeout_ms, create=create)
    if not any_file_system:
        refuse_remote(place)
    prepare_file(place, create=create)
    return SqliteDatabase(place, busy_timeout_ms)
