"""Take verified copies of the journal, and restore them.

A copy is `journal-20261120T210500Z.sqlite` with its head checkpoint (`.head`) beside it, also of a journal in
PostgreSQL; `before-0.2.0-20261130T142500Z.sqlite` is one that an upgrade took, and is never removed. A backup only
succeeds once the copy itself has been read and verified. A restore verifies exactly what it puts in place, and keeps
what was there before: files, or the schema under another name.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.errors import JournalBroken, LockHeld
from rebalancer.core.input_file import read_start
from rebalancer.core.values import utc
from rebalancer.journal.copying import copy_rows
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.head_checkpoint import HeadCheckpoint, checkpoint_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.postgres_database import PostgresDatabase
from rebalancer.ops.disk import free_bytes, free_words
from rebalancer.ops.files import sync_to_disk

FOLDER: Final = "backups"  # beside the journal
KEEP: Final = 14
RESTORED: Final = "journal_restored"  # the event's kind
_NAME: Final = re.compile(r"journal-\d{8}T\d{6}Z\.sqlite")
_BESIDE: Final = ("-wal", "-shm", ".head")
_MAGIC: Final = b"SQLite format 3\0"


class Copy(NamedTuple):
    """A verified copy: how many rows were checked, its size in bytes, and the older copies that were removed."""

    path: Path
    rows: int
    size: int
    removed: tuple[Path, ...] = ()


class Checked(NamedTuple):
    """The result of checking a whole journal. The newest event's time is None in an empty one; sizes in bytes, None for
    the free space of a database."""

    path: Place
    rows: int
    newest_seq: int
    newest_at: datetime | None
    newest_kind: str
    size: int
    free: int | None


class Restored(NamedTuple):
    """What a restore did: the rows of the copy, its newest event's time, and where the previous files, or the schema,
    are now."""

    rows: int
    newest_at: datetime | None
    aside: tuple[Path | str, ...]


def take(
    journal: Place, folder: Path, at: datetime, keep: int = KEEP, *, progress: Callable[[], None] = lambda: None
) -> Copy:
    """Copy the journal while others write to it, verify the copy, and keep the newest `keep`. progress: called again
    and again meanwhile. Raises JournalBroken."""
    if keep < 1:
        raise ValueError("keep at least one copy")
    done = _take_as(journal, folder, f"journal-{_stamp(at)}.sqlite", progress)
    return done._replace(removed=prune(folder, keep))


def take_before_upgrade(journal: Place, folder: Path, at: datetime, version: str, progress: Callable[[], None]) -> Copy:
    """Copy the journal as an older program left it, before this version writes to it. Raises JournalBroken."""
    return _take_as(journal, folder, f"before-{version}-{_stamp(at)}.sqlite", progress)


def _take_as(journal: Place, folder: Path, name: str, progress: Callable[[], None]) -> Copy:
    """Copy the journal into a file of this name, and verify it. Raises JournalBroken.

    The journal is opened separately for this: a failure of the copy's disk must not invalidate the handle that trading
    uses.
    """
    target = folder / name
    part = folder / f".{target.name}.{os.getpid()}.part"
    with _in_words(folder, "the copy cannot be written"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            raise JournalBroken(f"{target}: already exists\n  hint: wait a second, then run it again")
        if isinstance(journal, Path):  # a copy that runs out of space takes it from the journal in use too
            _refuse_full_disk(journal, target, "remove copies that are no longer needed")
        try:
            with Journal.open(journal, create=False) as source:
                rows = source.backup(part, progress)
            _write_checkpoint(part)
            sync_to_disk(part)
            sync_to_disk(_head_of(part))
            os.replace(_head_of(part), _head_of(target))
            os.replace(part, target)
            sync_to_disk(folder)
        finally:
            for path in (part, *(_beside(part, end) for end in _BESIDE)):
                path.unlink(missing_ok=True)
        return Copy(target, rows, target.stat().st_size)


def newest_first(folder: Path) -> list[Path]:
    """The copies in a folder, newest first; other files are ignored."""
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: path.name, reverse=True)


def prune(folder: Path, keep: int) -> tuple[Path, ...]:
    """Remove all but the newest `keep` copies, with their head checkpoints, and return the removed ones."""
    old = tuple(newest_first(folder)[keep:])
    for path in old:
        path.unlink(missing_ok=True)
        _head_of(path).unlink(missing_ok=True)
    return old


def check(path: Place, *, live: bool) -> Checked:
    """Read a whole journal: the database's own check, every hash, every reference. Raises JournalBroken.

    live: it is the journal in use, which is opened in place. A backup is never opened in place: that could upgrade its
    schema and create files beside it.
    """
    if live or isinstance(path, PostgresPlace):
        return _checked(path, path)
    with tempfile.TemporaryDirectory(prefix="rebalancer-check-") as folder:
        return _checked(_fetch(path, Path(folder) / path.name), path)


def restore(source: Path, journal: Place, at: datetime, reason: str) -> Restored:
    """Replace the journal with a verified copy; the caller holds the locks. Raises JournalBroken, and then nothing has
    changed.

    The head checkpoint is replaced last: opening the journal in between, or after a crash, is refused.
    """
    if isinstance(journal, PostgresPlace):
        with tempfile.TemporaryDirectory(prefix="rebalancer-restore-") as folder:
            return _restore_into_database(_fetch(source, Path(folder) / source.name), source, journal, at, reason)
    if source.exists() and journal.exists() and source.samefile(journal):
        raise JournalBroken(f"{source}: is the journal itself\n  hint: name a copy; `rebalancer db check` checks this")
    stamp = f"before-restore-{_stamp(at)}"
    part = journal.with_name(f".{journal.name}.restoring")
    kept = journal.with_name(f"{journal.name}.{stamp}")
    if kept.exists() or _head_of(kept).exists():
        raise JournalBroken(f"{kept}: already exists\n  hint: wait a second, then run it again")
    with _in_words(journal.parent, "the copy cannot be put in place"):
        try:
            _clear(part)
            found = _checked(_fetch(source, part), source)
            with Journal.open(part, create=False) as copy:
                _note(copy, at, reason, source, found.rows, kept.name)
            _write_checkpoint(part)
            sync_to_disk(part)
            sync_to_disk(_head_of(part))
            refuse_while_open(journal)
            moves = [(_beside(journal, end), _beside(kept, end)) for end in ("-shm", "-wal", "")]
            aside = [kept_as for path, kept_as in moves if _moved(path, kept_as)]
            os.replace(part, journal)
            if _head_of(journal).exists():
                shutil.copy2(_head_of(journal), _head_of(kept))
                aside.append(_head_of(kept))
            os.replace(_head_of(part), _head_of(journal))
            sync_to_disk(journal.parent)
        finally:
            _clear(part)
    return Restored(found.rows, found.newest_at, tuple(aside))


def _restore_into_database(copy: Path, source: Path, journal: PostgresPlace, at: datetime, reason: str) -> Restored:
    """Build the schema beside the one in use, then exchange their names in one transaction."""
    found = _checked(copy, source)
    stamp = f"{utc(at):%Y%m%d%H%M%S}"
    part = PostgresPlace(journal.url, f"{journal.schema[:40]}_new_{stamp}", None, journal.password)
    kept = f"{journal.schema[:40]}_before_{stamp}"
    with Journal.open(part) as target, Journal.open(copy, create=False) as read:
        exchange = target.store.database
        assert isinstance(exchange, PostgresDatabase)
        try:
            copy_rows(read.store, target.store)
            _note(target, at, reason, source, found.rows, kept)
            with target.store.translated():
                was_there = exchange.take_the_place_of(journal.schema, kept)
        finally:
            with target.store.translated():
                exchange.drop()  # nothing, once it has the other name
    head = checkpoint_of(journal)
    head.forget()
    with Journal.open(journal, create=False) as restored:
        newest = restored.latest_events(1)
        head.advance(newest[0].seq, restored.row_hash(newest[0].seq))
    return Restored(found.rows, found.newest_at, (f"schema {kept}",) if was_there else ())


def _note(journal: Journal, at: datetime, reason: str, source: Path, rows: int, aside: str) -> None:
    latest = journal.cycles(None, 1)
    account_id = latest[0].account_id if latest else ""
    body = {"reason": reason, "from": source.name, "rows": rows, "aside": aside}
    journal.record_event(account_id, None, at, RESTORED, None, body)


def refuse_while_open(journal: Path) -> None:
    """Raise LockHeld while another process has the journal open, such as a session between two cycles: on exit it would
    delete the write-ahead log of whatever file is there by then.

    SQLite leaves WAL mode only for the sole connection, so that is the test; it also merges the log into the file.
    A file that is no longer a database passes, since it cannot be tested.
    """
    if not journal.is_file():
        return
    refuse_irregular_journal(journal)
    try:
        with closing(sqlite3.connect(journal, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LockHeld(
                f"{journal}: another program has it open, such as a session\n"
                "  hint: stop the session, then run it again"
            ) from None


def _checked(opened: Place, named: Place) -> Checked:
    """Verify the journal at `opened`, and report it under the name `named`."""
    try:
        with Journal.open(opened, create=False) as journal:
            rows = journal.verify()
            newest = journal.latest_events(1)
            size = journal.size()
    except JournalBroken as error:
        said = str(error).replace(str(opened), str(named))
        if isinstance(opened, Path) and isinstance(named, Path):
            said = said.replace(opened.name, named.name)
        raise JournalBroken(said if str(named) in said else f"{named}: {said}") from None
    last = newest[0] if newest else None
    return Checked(
        named,
        rows,
        last.seq if last else 0,
        last.at if last else None,
        last.kind if last else "",
        size,
        shutil.disk_usage(named.parent).free if isinstance(named, Path) else None,
    )


def _fetch(source: Path, target: Path) -> Path:
    """Copy a file that nobody has open, with its write-ahead log and head checkpoint if present, to a private place."""
    with _in_words(source, "cannot be read"):
        if not source.is_file():
            what = "is not a regular file" if source.exists() else "there is no such file"
            raise JournalBroken(f"{source}: {what}\n  hint: copies are in backups/, next to the journal")
        if source.stat().st_size == 0:
            raise JournalBroken(f"{source}: is empty\n  hint: take another copy")
        if read_start(source, len(_MAGIC)) != _MAGIC:
            raise JournalBroken(f"{source}: is not a journal, or it is damaged\n  hint: take another copy")
        _refuse_full_disk(source, target, "set TMPDIR to a larger disk")
        for end in ("-wal", ".head", ""):
            if _beside(source, end).is_file():
                shutil.copyfile(_beside(source, end), _beside(target, end))
                _beside(target, end).chmod(0o600)
    return target


def _refuse_full_disk(source: Path, target: Path, instead: str) -> None:
    """Raise JournalBroken when a copy would fill the disk. instead: what else can be done than to free some space."""
    needed = sum(path.stat().st_size for path in (source, _beside(source, "-wal")) if path.is_file())
    free = free_bytes(target)
    if free is not None and needed > free:
        raise JournalBroken(
            f"{target.parent}: {needed / 1e6:,.1f} MB are needed for a copy{free_words(target)}\n"
            f"  hint: free some space, or {instead}"
        )


def _write_checkpoint(path: Path) -> None:
    """Write the head checkpoint of a closed copy."""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    if row is not None:
        HeadCheckpoint(path).advance(*row)


def _stamp(at: datetime) -> str:
    return f"{utc(at):%Y%m%dT%H%M%SZ}"


def _moved(path: Path, kept: Path) -> bool:
    """Rename a file; False when it does not exist."""
    with suppress(FileNotFoundError):
        os.rename(path, kept)
        return True
    return False


def _clear(part: Path) -> None:
    for end in ("", *_BESIDE):
        _beside(part, end).unlink(missing_ok=True)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _head_of(path: Path) -> Path:
    return _beside(path, ".head")


@contextmanager
def _in_words(path: Path, problem: str) -> Iterator[None]:
    """Turn an OSError into JournalBroken."""
    try:
        yield
    except OSError as error:
        place = error.filename or path
        where = Path(os.fsdecode(place))
        raise JournalBroken(
            f"{where}: {problem}: {error.strerror}{free_words(where)}\n  hint: check owner, permissions and free space"
        ) from None
