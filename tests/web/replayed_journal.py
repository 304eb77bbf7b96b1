"""A journal that grows again, row by row, as another one grew: the rows, hashes and documents of a real run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from rebalancer.journal.head_checkpoint import HeadCheckpoint


class ReplayedJournal:
    """Rows of `source`, written into a new journal at `path`."""

    def __init__(self, source: Path, path: Path) -> None:
        self.path, self.written = path, 0
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as whole:
            schema = [
                sql
                for (sql,) in whole.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC")
            ]
            self._rows = whole.execute("SELECT * FROM events ORDER BY seq").fetchall()
            others = {
                t: whole.execute(f"SELECT * FROM {t}").fetchall() for t in ("alembic_version", "documents", "claims")
            }
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for sql in sorted(schema, key=lambda sql: not sql.startswith("CREATE TABLE")):
                connection.execute(sql)
            for table, found in others.items():
                for row in found:
                    marks = ", ".join("?" * len(row))
                    connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
            connection.commit()
        path.chmod(0o600)

    @property
    def last(self) -> int:
        """The number of rows of the whole journal."""
        return len(self._rows)

    def go_to(self, seq: int) -> None:
        """Write the rows up to a number, in one transaction."""
        fresh = self._rows[self.written : seq]
        if not fresh:
            return
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            marks = ", ".join("?" * len(fresh[0]))
            connection.executemany(f"INSERT INTO events VALUES ({marks})", fresh)
            connection.commit()
        self.written = seq
        HeadCheckpoint(self.path).advance(seq, str(fresh[-1][-1]))
