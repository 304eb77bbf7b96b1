"""What the journal needs of a database: `sqlite` and `postgres_database` provide it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal, Protocol

from sqlalchemy import Connection

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.chain import ChainRow
from rebalancer.journal.conditions import Ask
from rebalancer.journal.head_checkpoint import HeadCheckpoint

Purpose = Literal["read", "append", "migrate", "lease", "mirror"]


class Database(Protocol):
    """One journal's database. `head` is this host's record of the newest row that it wrote or saw."""

    head: HeadCheckpoint

    @property
    def place(self) -> str:
        """Where it is, for messages; never with a secret."""
        ...

    def transaction(self, purpose: Purpose) -> AbstractContextManager[Connection]:
        """A transaction that is committed when the block ends, and rolled back when it raises.

        read: one consistent state. append: begins with the lock that all writers of the journal take in turn. migrate:
        begins with the lock for changing the schema. lease: writes without either lock. mirror: as append, for the
        process that copies another journal into this one, to which nobody else may append.
        """
        ...

    def asking(self) -> AbstractContextManager[Ask]:
        """A read transaction for the queries of `reading`, without SQLAlchemy's share of the time."""
        ...

    def ask_on(self, connection: Connection) -> Ask:
        """A function that runs the queries of `reading` in the connection's transaction."""
        ...

    def end_with(self, connection: Connection, before: ChainRow | None, last: ChainRow) -> None:
        """Note the newest row, and the one before this transaction, just before it is committed. Raises JournalBroken
        when another row was noted than `before`."""
        ...

    def has_stored(self, last: ChainRow, error: BaseException) -> bool:
        """Whether the rows up to `last` are stored although their commit failed with this error. Raises JournalBroken
        when that cannot be learned."""
        ...

    def tables(self, connection: Connection) -> set[str]:
        """The names of the tables that are there."""
        ...

    def check_storage(self, ask: Ask, bytes_max: int | None) -> None:
        """Check what lies below the rows: pages, indexes. bytes_max: skip it for anything larger; None: never skip it.
        Raises JournalBroken with the first problem."""
        ...

    def keep_before_upgrade(self, version: str) -> None:
        """Keep a copy of a journal whose schema is about to be upgraded."""
        ...

    def size(self) -> int:
        """The bytes that the journal takes."""
        ...

    def failure(self, error: BaseException) -> JournalBroken:
        """Describe an error of the driver in one line with a hint."""
        ...

    def is_lost(self, error: BaseException) -> bool:
        """Whether nothing more may be written through this database after the error."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
