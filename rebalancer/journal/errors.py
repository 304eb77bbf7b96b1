"""Turn database errors into `JournalBroken` with a hint. The only module that knows SQLite's error codes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from rebalancer.core.errors import JournalBroken, JournalLocked
from rebalancer.ops.disk import free_bytes, free_words

# SQLite's primary result codes, each with what happened and what the operator can do.
_WORDS: Final = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "free some space, then run again: it asks the broker what became of orders",
    ),
    sqlite3.SQLITE_BUSY: (
        "another program holds the journal locked",
        "close other programs that have it open (a backup, a sqlite shell) and run again",
    ),
    sqlite3.SQLITE_LOCKED: ("the journal is locked", "close other programs that have it open"),
    sqlite3.SQLITE_READONLY: ("the journal cannot be written", "check owner, permissions and whether the disk is ro"),
    sqlite3.SQLITE_PERM: ("the journal cannot be written", "check its owner and permissions"),
    sqlite3.SQLITE_CORRUPT: ("the journal is damaged", "keep the file, restore the last good backup"),
    sqlite3.SQLITE_NOTADB: ("this is not a journal, or it is damaged", "keep the file, restore the last good backup"),
    sqlite3.SQLITE_IOERR: ("the disk failed", "check the disk, then run `rebalancer doctor` before trading again"),
    sqlite3.SQLITE_CANTOPEN: ("the journal cannot be opened", "check that its folder exists and belongs to you"),
}
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DISK_FULL: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
)
_MAY_BE_FULL: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
)  # also reported for some files on a full disk
_FULL_BYTES: Final = 64 * 1024  # what SQLite needs to open a journal; with less left the disk counts as full
_DISK_FAILED: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def broken(error: BaseException, place: str) -> JournalBroken:
    """Describe a database error in one line. `place` is the journal's path; statement values are never shown."""
    code = _code_of(error)
    if code in _WORDS:
        problem, hint = _WORDS[sqlite3.SQLITE_FULL if code in _MAY_BE_FULL and _is_full(place) else code]
        if code in _DISK_FULL:
            problem += free_words(Path(place))
        kind = JournalLocked if code in _LOCKED else JournalBroken
        return kind(f"{place}: {problem} ({error})\n  hint: {hint}")
    return JournalBroken(f"{place}: the database refused: {error}")


def _is_full(place: str) -> bool:
    free = free_bytes(Path(place))
    return free is not None and free < _FULL_BYTES


def handle_is_lost(error: BaseException) -> bool:
    """Whether this handle must not be written to again: after a failed sync, retrying can lose data silently."""
    return _code_of(error) in _DISK_FAILED


def _code_of(error: BaseException) -> int:
    if isinstance(error, UnicodeDecodeError):  # damaged names in the schema break even SQLite's own messages
        return sqlite3.SQLITE_CORRUPT
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF if isinstance(code, int) else 0
