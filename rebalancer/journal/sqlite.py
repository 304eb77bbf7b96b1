"""Everything specific to SQLite: pragmas, locks, triggers, integrity check and copies.

`synchronous=FULL` is required: with WAL and NORMAL, 1137 of 5000 simulated power cuts lost committed rows; with FULL
none did. It is a per-connection setting, so it is set, and read back, on every connection.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.agreement import check_pages
from rebalancer.journal.chain import ChainRow
from rebalancer.journal.conditions import Ask, Rows
from rebalancer.journal.database import Purpose
from rebalancer.journal.errors import broken, handle_is_lost
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.ops.files import sync_to_disk

_BEGIN: Final = "journal_begin"  # the execution option that says how a transaction begins
_STATEMENTS: Final[Mapping[Purpose, str]] = {
    "read": "BEGIN",
    # A deferred transaction that reads and then writes fails at once when another connection wrote in between.
    "append": "BEGIN IMMEDIATE",
    "migrate": "BEGIN IMMEDIATE",
    "lease": "BEGIN IMMEDIATE",
    "mirror": "BEGIN IMMEDIATE",
}


class SqliteDatabase:
    """A journal file."""

    def __init__(self, path: Path, busy_timeout_ms: int) -> None:
        self.path, self.head = path, HeadCheckpoint(path)
        self.engine = engine_of(path, busy_timeout_ms)

    @property
    def place(self) -> str:
        return str(self.path)

    @contextmanager
    def transaction(self, purpose: Purpose) -> Iterator[Connection]:
        with self.engine.connect() as plain:
            connection = plain if purpose == "read" else plain.execution_options(**{_BEGIN: _STATEMENTS[purpose]})
            with connection.begin():
                yield connection

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        # Begun at the driver: many reads take less time than begin and end through the engine's connection. Giving the
        # connection back ends the transaction.
        pooled = self.engine.raw_connection()
        try:
            driver: Any = pooled.driver_connection
            driver.execute("BEGIN")
            yield _asking(driver)
        finally:
            pooled.close()

    def ask_on(self, connection: Connection) -> Ask:
        # The statements go to the driver as they are: that takes a third of the time.
        return _asking(connection.connection.driver_connection)

    def end_with(self, connection: Connection, before: ChainRow | None, last: ChainRow) -> None:
        """Nothing: the newest row is the head."""

    def has_stored(self, last: ChainRow, error: BaseException) -> bool:  # noqa: ARG002  another database needs them
        return False  # a commit to a file that fails has not happened

    def tables(self, connection: Connection) -> set[str]:
        return set(inspect(connection).get_table_names())

    def check_storage(self, ask: Ask, bytes_max: int | None) -> None:
        check_pages(ask, self.place, bytes_max)

    def keep_before_upgrade(self, version: str) -> None:
        target = self.path.with_name(f"{self.path.name}.schema-{version}")
        part = self.path.with_name(f".{target.name}.{os.getpid()}.part")
        part.unlink(missing_ok=True)
        self.copy_into(part)
        try:
            if _schema_in(part) == version:  # else another process has upgraded it, and has kept a copy
                os.replace(part, target)  # one from before an earlier upgrade lacks what was recorded since
        except OSError as error:
            raise JournalBroken(f"{target}: the copy cannot be written: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)

    def copy_into(self, target: Path) -> None:
        """Write a complete copy, readable only by its owner, and sync it. The file must not exist."""
        try:
            copy_into(self.engine, target)
        except OSError as error:
            raise JournalBroken(f"{target}: the copy cannot be written: {error.strerror}") from None

    def compact(self) -> None:
        """Give the space of removed rows back to the disk."""
        with self.engine.connect().execution_options(**{_BEGIN: ""}) as connection:  # cannot run in a transaction
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def size(self) -> int:
        # Not of the file: while it is open, the newest pages are in the write-ahead log, and are merged later.
        with self.asking() as ask:
            return int(ask("PRAGMA page_count", {})[0][0]) * int(ask("PRAGMA page_size", {})[0][0])

    def failure(self, error: BaseException) -> JournalBroken:
        return broken(error, self.place)

    def is_lost(self, error: BaseException) -> bool:
        return handle_is_lost(error)

    def close(self) -> None:
        self.engine.dispose()


def engine_of(path: Path, busy_timeout_ms: int) -> Engine:
    """An engine with durable connections, whose write transactions take the lock when they begin."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": busy_timeout_ms / 1000},
    )
    wanted: Mapping[str, object] = {
        "busy_timeout": busy_timeout_ms,
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
    }

    def prepare(connection: Any, _record: object) -> None:
        # Damaged text must reach the hash check instead of raising inside a cursor.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        for pragma, value in wanted.items():
            connection.execute(f"PRAGMA {pragma} = {value}")
        for pragma, value in wanted.items():
            found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            if found != value:
                raise JournalBroken(f"{path}: the database would not set {pragma} to {value}; it stays at {found}")

    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN, _STATEMENTS["read"])
        if statement:
            connection.exec_driver_sql(statement)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def append_only(table: str, *key: str) -> tuple[str, str, str]:
    """The triggers that forbid updating, deleting or replacing rows of a table with this primary key."""
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    present = f"SELECT 1 FROM {table} WHERE {same}"  # noqa: S608  names of our own tables
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        # INSERT OR REPLACE deletes rows without firing the delete trigger.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({present}) {refuse}",
    )


def _asking(driver: Any) -> Ask:
    def run(statement: str, values: Mapping[str, object]) -> Rows:
        found: Rows = driver.execute(statement, values).fetchall()
        return found

    return Ask(run, "sqlite")


def _schema_in(copy: Path) -> str:
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?immutable=1", uri=True)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def copy_into(engine: Engine, target: Path) -> None:
    """Write a complete copy, readable only by its owner, and sync it. The file must not exist. Raises OSError."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    try:
        with engine.connect().execution_options(**{_BEGIN: ""}) as connection:  # VACUUM cannot run in a transaction
            connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
        for path in (target, target.parent):
            sync_to_disk(path)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
