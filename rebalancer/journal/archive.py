"""Archives: the journal up to a day in one compressed file, and the removal of what such a file holds.

An archive is a journal file of its own, the first rows of the chain with their documents and claims, compressed with
gzip. It verifies by itself and ends with a row that the live journal has too.

The chain hashes every event whole, and of a document only its name, which is its hash. So events stay for ever, and the
bodies of documents, which are most of the bytes, can be removed once an archive has them: the event
`documents_archived` says up to which row and how many, with a digest of their names, and `verify` accepts exactly these
as missing. What stays nevertheless is in `archived.py`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import text

from rebalancer.core.errors import JournalBroken
from rebalancer.core.input_file import refuse_irregular
from rebalancer.core.new_york import from_new_york
from rebalancer.core.units import amount_of
from rebalancer.journal import postgres, sqlite
from rebalancer.journal.archived import KIND, Archived, digest_of_names
from rebalancer.journal.chain import GENESIS, stamp
from rebalancer.journal.conditions import Ask
from rebalancer.journal.journal import Journal
from rebalancer.journal.mirror.slices import check_slice, read_slice
from rebalancer.journal.opening import open_store
from rebalancer.journal.schema import claims, documents, events
from rebalancer.journal.sqlite import SqliteDatabase
from rebalancer.ops.disk import free_words
from rebalancer.ops.files import sync_to_disk

GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 1024 * 1024
_AT_ONCE: Final = 500


class Archive(NamedTuple):
    """An archive that was written and read again: its file, the number and hash of its last event, the rows that were
    verified in it, its bytes, and the SHA-256 of the file."""

    path: Path
    row: int
    hash: str
    rows: int
    size: int
    sha256: str


class Removed(NamedTuple):
    """What was removed from a journal: how many documents and their bytes, and the journal's size before and after."""

    documents: int
    bytes: int
    size_before: int
    size_after: int


def write_archive(journal: Journal, before: date, target: Path) -> Archive:
    """Write everything before a day (New York) to a new file, and verify the file. Raises JournalBroken, and then there
    is no file."""
    if target.exists():
        raise JournalBroken(f"{target}: already exists\n  hint: name a new file")
    try:
        with tempfile.TemporaryDirectory(prefix=".archive-", dir=target.parent) as folder:
            plain = Path(folder) / "journal.sqlite"
            row, row_hash = _write_plain(journal, before, plain)
            with Journal.open(plain, create=False, any_file_system=True) as copy:
                rows = copy.verify()
            packed = Path(folder) / "packed"
            _pack(plain, packed)
            with gzip.open(packed, "rb") as source:
                digest = _digest_of(source)
            if digest != _digest_of_file(plain):
                raise JournalBroken(f"{target}: does not read back as it was written\n  hint: look at that disk")
            os.replace(packed, target)
        sync_to_disk(target.parent)
    except OSError as error:
        raise JournalBroken(
            f"{target}: the archive cannot be written: {error.strerror}{free_words(target)}\n"
            "  hint: name a file in a folder with space"
        ) from None
    return Archive(target, row, row_hash, rows, target.stat().st_size, _digest_of_file(target))


def _write_plain(journal: Journal, before: date, plain: Path) -> tuple[int, str]:
    with journal.store.asking() as ask:
        end, archived = _last_row(ask, stamp(from_new_york(before, time()))), Archived.of(ask)
    if not end:
        raise JournalBroken(f"no cycle was begun before {before}\n  hint: rebalancer db size names the first day")
    if end < archived.noted_at:
        raise JournalBroken(
            f"rows up to {archived.row} are in an archive that was made with row {archived.noted_at}, after {before}\n"
            "  hint: name a later day"
        )
    store = open_store(plain, any_file_system=True)
    try:
        seq, row_hash, known = 0, GENESIS, set[str]()
        while seq < end:
            with journal.store.asking() as ask:
                part = read_slice(ask, seq, end)
            check_slice(part, seq, row_hash, archived.row)
            with store.locked() as connection:
                for table, rows in (
                    (documents, [one._asdict() for one in part.documents if one.sha256 not in known]),
                    (claims, [one._asdict() for one in part.claims]),
                    (events, [one._asdict() for one in part.events]),
                ):
                    if rows:
                        connection.execute(table.insert(), rows)
            known |= {one.sha256 for one in part.documents}
            seq, row_hash = part.events[-1].seq, part.events[-1].hash
    finally:
        store.database.close()
    return seq, row_hash


def _last_row(ask: Ask, moment: str) -> int:
    """The row before the first cycle or slot from a moment on; without one the last end of a cycle or day. 0 when
    nothing was begun before. Only these decide: other events may be dated by another clock."""
    begun = "FROM events WHERE kind IN ('cycle_started', 'slot')"
    first = ask(f"SELECT min(seq) {begun} AND at >= :moment", {"moment": moment})[0][0]
    end = int(first) - 1 if first is not None else 0
    if first is None:
        ended = "SELECT max(seq) FROM events WHERE kind IN ('cycle_ended', 'slot', 'end_of_day')"
        end = int(ask(ended, {})[0][0] or 0)
    return end if ask(f"SELECT count(*) {begun} AND seq <= :end", {"end": end})[0][0] else 0


def remove_archived(journal: Journal, archive: Archive, at: datetime, account_id: str) -> Removed:
    """Remove the documents that only plans of the archive name. The caller holds the locks of the state folder. Raises
    JournalBroken, and then nothing has changed, or the message says that only the file is not smaller yet."""
    size, database = journal.size(), journal.store.database
    with journal.store.writing() as w:
        rows = w.ask("SELECT hash FROM events WHERE seq = :seq", {"seq": archive.row})
        if not rows or rows[0][0] != archive.hash:
            raise JournalBroken(f"{archive.path}: is not an archive of this journal\n  hint: write it again")
        _refuse_open_cycle(w.ask, archive.row)
        names = sorted(Archived.of(w.ask).removable(w.ask, archive.row))
        used = 0
        for begin in range(0, len(names), _AT_ONCE):
            some = {f"n{number}": name for number, name in enumerate(names[begin : begin + _AT_ONCE])}
            these = ", ".join(f":{key}" for key in some)
            used += int(w.ask(f"SELECT coalesce(sum(length(body)), 0) FROM documents WHERE sha256 IN ({these})",  # noqa: S608
                              some)[0][0])  # fmt: skip
        body = {
            "file": archive.path.name, "sha256": archive.sha256, "row": archive.row, "hash": archive.hash,
            "documents": len(names), "names_sha256": digest_of_names(names),
        }  # fmt: skip
        w.append(at, account_id, None, KIND, str(archive.row), body)
        is_file = isinstance(database, SqliteDatabase)
        off, on = _guards(is_file=is_file)
        for statement in off:
            w.connection.exec_driver_sql(statement)
        if names:
            w.connection.execute(text("DELETE FROM documents WHERE sha256 = :name"), [{"name": one} for one in names])
        for statement in on:
            w.connection.exec_driver_sql(statement)
    if isinstance(database, SqliteDatabase):
        try:
            with journal.store.translated():
                database.compact()
        except JournalBroken as error:
            problem = str(error).partition("\n")[0]
            raise JournalBroken(
                f"{problem}\n  {amount_of(len(names), 'document')} removed, {archive.path} has them; only the file is "
                "not smaller yet\n  hint: new rows fill that space, the next db archive --remove gives it back"
            ) from None
    return Removed(len(names), used, size, journal.size())


def _refuse_open_cycle(ask: Ask, row: int) -> None:
    """Raise JournalBroken for a cycle that has not ended: the next run closes it by what it was planned from."""
    found = ask(
        "SELECT cycle_id FROM events AS begun WHERE kind = 'cycle_started' AND seq <= :row AND NOT EXISTS (SELECT 1 "
        "FROM events AS ended WHERE ended.kind = 'cycle_ended' AND ended.account_id = begun.account_id "
        "AND ended.cycle_id = begun.cycle_id) LIMIT 1",
        {"row": row},
    )
    if found:
        raise JournalBroken(f"the cycle {found[0][0]} has not ended\n  hint: rebalancer run-now closes it")


def _guards(*, is_file: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The statements that lift the trigger against deletion for this transaction, and that put it back."""
    if is_file:
        return ("DROP TRIGGER documents_no_delete",), (sqlite.append_only("documents", "sha256")[1],)
    table, trigger = "documents", postgres.append_only("documents")[0].split()[2]
    return (f"ALTER TABLE {table} DISABLE TRIGGER {trigger}",), (f"ALTER TABLE {table} ENABLE TRIGGER {trigger}",)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The journal of an archive, in a temporary folder during the block. Raises JournalBroken."""
    with tempfile.TemporaryDirectory(prefix="rebalancer-archive-") as folder:
        plain = Path(folder) / "journal.sqlite"
        unpack(path, plain)
        yield plain


def unpack(path: Path, plain: Path) -> None:
    """Write the journal of an archive to a new private file. Raises JournalBroken, and BadDocument for a path that is
    no regular file."""
    refuse_irregular(path)
    try:
        handle = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as target, gzip.open(path, "rb") as source:
            shutil.copyfileobj(source, target, _CHUNK)
    except (EOFError, gzip.BadGzipFile) as error:
        raise JournalBroken(f"{path}: is not a whole archive: {error}\n  hint: take another copy of it") from None
    except OSError as error:
        raise JournalBroken(
            f"{error.filename or path}: the archive cannot be unpacked: {error.strerror or error}{free_words(plain)}\n"
            "  hint: name an empty folder with space"
        ) from None


def is_archive(path: Path) -> bool:
    """Whether a file begins as an archive does. Raises BadDocument for what is no regular file."""
    refuse_irregular(path)
    try:
        with path.open("rb") as file:
            return file.read(len(GZIP)) == GZIP
    except OSError:
        return False


def _pack(plain: Path, packed: Path) -> None:
    with plain.open("rb") as source, packed.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as target:
            shutil.copyfileobj(source, target, _CHUNK)
        file.flush()
        os.fsync(file.fileno())


def _digest_of(source: gzip.GzipFile) -> str:
    found = hashlib.sha256()
    while part := source.read(_CHUNK):
        found.update(part)
    return found.hexdigest()


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
