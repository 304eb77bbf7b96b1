"""The journal through a read-only handle: the plain driver, no write lock, no SQLAlchemy. For `status` and for
processes that may read and nothing else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any
from urllib.parse import quote

from rebalancer.core.errors import JournalAltered, JournalBroken
from rebalancer.journal.conditions import Ask
from rebalancer.journal.errors import broken
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.reads import JournalReads


@contextmanager
def read_only(place: Place) -> Iterator[Ask]:
    """One consistent state of a journal. Raises JournalBroken when it cannot be read."""
    if isinstance(place, PostgresPlace):
        from rebalancer.journal import postgres

        with postgres.read_only(place) as ask:
            yield ask
        return
    refuse_irregular_journal(place)
    try:
        uri = f"file:{quote(str(place.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            connection.execute("BEGIN")  # one consistent snapshot for all queries
            yield Ask(lambda statement, values: connection.execute(statement, values).fetchall(), "sqlite")
    except JournalAltered as error:
        raise JournalBroken(f"{place}: {error}") from None
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise broken(error, str(place)) from None


def may_exist(place: Place) -> bool:
    """Whether there is anything to open: a file that is not empty. A database is only known once it is asked."""
    return isinstance(place, PostgresPlace) or (place.exists() and place.stat().st_size > 0)


def exists(place: Place) -> bool:
    """Whether there is a journal: a file, or the tables in the database. Raises JournalBroken when the database cannot
    be reached."""
    if not isinstance(place, PostgresPlace):
        return place.exists()
    with read_only(place) as ask:
        return has_tables(ask)


def has_tables(ask: Ask) -> bool:
    """Whether the journal is there with its tables, which are made in one transaction after the file."""
    if ask.dialect == "postgresql":
        from rebalancer.journal import postgres

        return postgres.is_created(ask)
    return bool(ask("SELECT count(*) FROM sqlite_master", {})[0][0])


class ReadOnlyJournal(JournalReads):
    """A journal that this process never writes to. A file is opened anew by every read, which sees one consistent
    state; a database keeps one connection, which its readers take in turn."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._connection: Any = None
        self._lock = threading.Lock()

    @property
    def is_created(self) -> bool:
        """Whether the journal is there with its tables. Raises JournalBroken."""
        if not may_exist(self.place):
            return False
        with self._asking() as ask:
            return has_tables(ask)

    def close(self) -> None:
        """Close the connection to a database; the next read opens another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def newest(self) -> tuple[int, str]:
        """The number and hash of the newest row, as cheaply as possible; 0 and "" without rows. Of a file it is what
        the head checkpoint says. Raises JournalBroken."""
        if isinstance(self.place, PostgresPlace):
            if not self.is_created:
                return 0, ""
            with self._asking() as ask:
                found = ask("SELECT seq, hash FROM heads WHERE seq > 0", {})
                return (int(found[0][0]), str(found[0][1])) if found else (0, "")
        if not self.place.exists():
            return 0, ""
        written = HeadCheckpoint(self.place).read()
        if written is not None:
            return written
        latest = self.latest_events(1) if self.is_created else ()
        return (latest[0].seq, "") if latest else (0, "")

    def _asking(self) -> AbstractContextManager[Ask]:
        return self._connected(self.place) if isinstance(self.place, PostgresPlace) else read_only(self.place)

    @contextmanager
    def _connected(self, place: PostgresPlace) -> Iterator[Ask]:
        from rebalancer.journal import postgres

        with self._lock:
            if self._connection is None or self._connection.closed or self._connection.broken:
                with postgres.in_words(place):
                    self._connection = postgres.connect(place)
            with postgres.read_only(place, self._connection) as ask:
                yield ask
