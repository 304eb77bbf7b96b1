"""One SQLite file of receipts: opened privately, in WAL mode, with a bounded wait for its lock.

In WAL mode a reader never waits for a writer, nor a writer for a reader; only two writers wait for each other. Every
failure is raised as `SignalsUnavailable`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from rebalancer.core.errors import SignalsUnavailable
from rebalancer.journal.filesystem import refuse_remote
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.disk import fix_of, free_words

BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BESIDE: Final = ("-wal", "-shm", "-journal")
_RETRY_SECONDS: Final = 0.02
_DURABLE, _DERIVED = "FULL", "NORMAL"


class SignalDatabase:
    """One open file, safe to share between threads. `durable`: a commit survives a power cut; without it the newest
    commits may be lost then, but the file stays consistent."""

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        edition: int,
        wait_seconds: float,
        *,
        durable: bool,
        upgrades: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """Open the file, creating it and its tables when missing. edition: the version of the tables; upgrades: what
        changes the tables of an earlier edition, by that edition."""
        self.path, self._lock = path, threading.Lock()
        with _in_words(path):
            refuse_remote(path)
            _prepare(path)
            self._connection = sqlite3.connect(
                path, timeout=wait_seconds, isolation_level=None, check_same_thread=False
            )
        try:
            with _in_words(path):
                _use_wal(self._connection, wait_seconds)
                self._connection.execute(f"PRAGMA synchronous = {_DURABLE if durable else _DERIVED}")
                self._make_tables(tables, edition, upgrades)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent state of the file."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start, committed when the block ends and rolled back when
        it raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def release_pages(self, pages: int) -> None:
        """Give at most so many free pages back to the file system."""
        with self._lock, _in_words(self.path):
            self._connection.execute(f"PRAGMA incremental_vacuum({pages:d})").fetchall()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, _in_words(self.path):
            self._connection.execute(begin)
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _make_tables(self, tables: Sequence[str], edition: int, upgrades: Mapping[int, str]) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found < edition:
            # New, or of an earlier edition. Another process may be doing the same: the lock decides, and the second
            # finds the work done.
            self._connection.execute("BEGIN IMMEDIATE")
            found = self._connection.execute("PRAGMA user_version").fetchone()[0]
            for statement in tables:
                self._connection.execute(statement)
            if found in upgrades:
                self._connection.execute(upgrades[found])
            self._connection.execute(f"PRAGMA user_version = {edition:d}")
            self._connection.execute("COMMIT")
        elif found > edition:
            raise SignalsUnavailable(
                f"{self.path}: has edition {found}, this program knows {edition}\n"
                "  hint: another version of the rebalancer wrote it; install that one, or move the file away"
            )


def is_busy(error: BaseException | None) -> bool:
    """Whether a failure only means that another process is writing."""
    return error is not None and getattr(error, "sqlite_errorcode", 0) & 0xFF in BUSY


def _prepare(path: Path) -> None:
    """Make sure of a private regular file; anything else, such as a FIFO, could block for ever. An existing file is
    never opened here: closing it would release the locks that this process may hold on it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    for place in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
        with suppress(FileNotFoundError):
            found = place.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise SignalsUnavailable(f"{place}: is not a regular file that you own\n  hint: move it away")


def _use_wal(connection: sqlite3.Connection, wait_seconds: float) -> None:
    """Switch to WAL mode. SQLite does not wait by itself for others that are opening the file at the same moment."""
    clock = SystemClock()
    deadline = clock.monotonic() + wait_seconds
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            # Before the first table, and outside WAL: later it would need a VACUUM.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or clock.monotonic() >= deadline:
                raise
        clock.wait(_RETRY_SECONDS)


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turn errors of the database and the file system into SignalsUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        if is_busy(error):
            problem, hint = "another program keeps it locked", "close other programs that have it open, then try again"
        else:
            problem, hint = f"the database failed: {error}{free_words(path)}", "check the disk, or move the file away"
        raise SignalsUnavailable(f"{path}: {problem}\n  hint: {hint}") from error
    except OSError as error:
        raise SignalsUnavailable(
            f"{path}: cannot be opened: {error.strerror}{free_words(path)}\n  hint: {fix_of(path, error.errno)}"
        ) from error
