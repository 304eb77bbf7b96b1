"""Transactions on the journal's database: a read is a snapshot, a write holds the lock from its start.

Every write transaction first checks the newest row against the head checkpoint, so that nothing is appended to a
journal that has lost its tail. All database errors are raised as `JournalBroken`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from rebalancer.core.codec import canonical
from rebalancer.core.errors import JournalAltered, JournalBroken
from rebalancer.journal import reading
from rebalancer.journal.chain import ChainRow, next_row
from rebalancer.journal.conditions import Ask
from rebalancer.journal.database import Database

# As text: each opened journal compiles its statements anew, and every cycle opens the journal.
_APPEND: Final = text(
    f"INSERT INTO events ({', '.join(ChainRow._fields)}) "  # noqa: S608  names of our own columns
    f"VALUES ({', '.join(f':{name}' for name in ChainRow._fields)})"
)


class Writing:
    """One write transaction: the connection, and the end of the chain that `append` extends."""

    def __init__(self, connection: Connection, last: ChainRow | None, ask: Ask) -> None:
        self.connection, self.last, self.ask = connection, last, ask

    def append(
        self, at: datetime, account_id: str, cycle_id: str | None, kind: str, key: str | None, body: object
    ) -> None:
        """Append one event. `body` is anything that `codec.canonical` can encode as a JSON object."""
        row = next_row(self.last, at, account_id, cycle_id, kind, key, canonical(body))
        self.connection.execute(_APPEND, row._asdict())
        self.last = row


class Store:
    """The transactions of one journal. `fence`, when set, is asked at the start of every write transaction, and raises
    when this process may no longer write."""

    def __init__(self, database: Database) -> None:
        self.database, self.head = database, database.head
        self.fence: Callable[[Ask], None] | None = None
        self._lost = ""

    @property
    def place(self) -> str:
        """Where the journal is, for messages."""
        return self.database.place

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the journal."""
        with self.translated(), self.database.transaction("read") as connection:
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """A consistent view of the journal, for the queries of `reading`."""
        with self.translated(), self.database.asking() as ask:
            yield ask

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        """A write transaction that does not append, for changing the schema."""
        with self.translated(), self.database.transaction("migrate") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A transaction that is on disk when the block ends, and rolled back when it raises."""
        with self.translated():
            written: ChainRow | None = None
            try:
                with self.database.transaction("append") as connection:
                    ask = self.database.ask_on(connection)
                    if self.fence is not None:
                        self.fence(ask)
                    writing = Writing(connection, self._tail(ask), ask)
                    before = writing.last
                    yield writing
                    if writing.last is not None and writing.last != before:
                        self.database.end_with(connection, before, writing.last)
                        written = writing.last
            except DBAPIError as error:
                # A commit without an answer may have happened: only the database knows.
                if written is None or not self.database.has_stored(written, error):
                    raise
            if written is not None:
                self.head.advance(written.seq, written.hash)

    def check_tail(self, connection: Connection) -> ChainRow | None:
        """The newest row, None in an empty journal. Raises JournalBroken when it does not fit the head checkpoint."""
        return self._tail(self.database.ask_on(connection))

    def check_storage(self, bytes_max: int | None) -> None:
        """Check pages and indexes, whatever lies below the rows."""
        with self.translated(), self.database.transaction("read") as connection:
            self.database.check_storage(self.database.ask_on(connection), bytes_max)

    def _tail(self, ask: Ask) -> ChainRow | None:
        checkpoint = self.head.read()  # read before the rows, which can only grow in between
        return reading.check_tail(ask, self.head, checkpoint)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise every error of the database as JournalBroken, with a hint."""
        if self._lost:
            raise JournalBroken(f"{self._lost}\n  hint: the disk failed earlier in this run; nothing more is written")
        try:
            yield
        except JournalAltered as error:
            raise JournalBroken(f"{self.place}: {error}") from None
        except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
            raise self._in_words(error) from None
        except Exception as error:
            if not type(error).__module__.startswith("psycopg"):
                raise
            raise self._in_words(error) from None

    def _in_words(self, error: BaseException) -> JournalBroken:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        failure = self.database.failure(cause)
        if self.database.is_lost(cause):
            self._lost = str(failure).partition("\n")[0]
        return failure
