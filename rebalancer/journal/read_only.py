"""The journal through a read-only handle: plain sqlite3, no write lock, no SQLAlchemy. For `status` and for processes
that may read and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from rebalancer.journal.conditions import Ask
from rebalancer.journal.errors import broken
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.reads import JournalReads


@contextmanager
def read_only(path: Path) -> Iterator[Ask]:
    """One consistent state of a journal file. Raises JournalBroken when it cannot be read."""
    refuse_irregular_journal(path)
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            connection.execute("BEGIN")  # one consistent snapshot for all queries
            yield lambda statement, values: connection.execute(statement, values).fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise broken(error, str(path)) from None


class ReadOnlyJournal(JournalReads):
    """A journal file that this process never writes to; every read opens it anew, and sees one consistent state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_created(self) -> bool:
        """Whether the journal is there with its tables, which are made in one transaction after the file. Raises
        JournalBroken."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return False
        with read_only(self.path) as ask:
            return bool(ask("SELECT count(*) FROM sqlite_master", {})[0][0])

    def _asking(self) -> AbstractContextManager[Ask]:
        return read_only(self.path)
