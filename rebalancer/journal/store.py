"""Transactions on the journal's database: a read is a snapshot, a write holds the lock from its start.

Every write transaction first checks the newest row against the head checkpoint, so that nothing is appended to a
journal that has lost its tail. All database errors are raised as `JournalBroken`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from rebalancer.core.codec import canonical
from rebalancer.core.errors import JournalBroken
from rebalancer.journal import reading, sqlite
from rebalancer.journal.chain import ChainRow, next_row
from rebalancer.journal.conditions import Ask
from rebalancer.journal.errors import broken, handle_is_lost
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.schema import events


class Writing:
    """One write transaction: the connection, and the end of the chain that `append` extends."""

    def __init__(self, connection: Connection, last: ChainRow | None) -> None:
        self.connection, self.last, self.ask = connection, last, sqlite.asking(connection)

    def append(
        self, at: datetime, account_id: str, cycle_id: str | None, kind: str, key: str | None, body: object
    ) -> None:
        """Append one event. `body` is anything that `codec.canonical` can encode as a JSON object."""
        row = next_row(self.last, at, account_id, cycle_id, kind, key, canonical(body))
        self.connection.execute(events.insert(), row._asdict())
        self.last = row


class Store:
    """The engine of one journal file, and its head checkpoint."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path, self.engine, self.head = path, engine, HeadCheckpoint(path)
        self._lost = ""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the journal."""
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """A consistent view of the journal, for the queries of `reading`."""
        with self._translated(), sqlite.reading_directly(self.engine) as ask:
            yield ask

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        """A write transaction that does not append, for changing the schema."""
        with self._translated(), self.engine.connect() as plain, sqlite.for_writing(plain).begin():
            yield plain

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A transaction that is on disk when the block ends, and rolled back when it raises."""
        with self._translated():
            with self.engine.connect() as plain, sqlite.for_writing(plain).begin():
                writing = Writing(plain, self.check_tail(plain))
                before = writing.last
                yield writing
            if writing.last is not None and writing.last != before:
                self.head.advance(writing.last.seq, writing.last.hash)

    def copy_into(self, target: Path) -> None:
        """Write a complete, private, synced copy to a new file. Raises JournalBroken."""
        with self._translated():
            try:
                sqlite.copy_into(self.engine, target)
            except OSError as error:
                raise JournalBroken(f"{target}: the copy cannot be written: {error.strerror}") from None

    def check_tail(self, connection: Connection) -> ChainRow | None:
        """The newest row, None in an empty journal. Raises JournalBroken when it does not fit the head checkpoint."""
        checkpoint = self.head.read()  # read before the rows, which can only grow in between
        return reading.check_tail(sqlite.asking(connection), self.head, checkpoint)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._lost:
            raise JournalBroken(f"{self._lost}\n  hint: the disk failed earlier in this run; nothing more is written")
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            failure = broken(cause, str(self.path))
            if handle_is_lost(cause):
                self._lost = str(failure).partition("\n")[0]
            raise failure from None
