"""Copy a journal into an empty one, of the same kind of database or of the other, and compare them row by row.

Numbers, times, texts and hashes are the same on both sides, so the copy verifies by its own hash chain too. Backups of
a journal in PostgreSQL are such copies: files that `db check` verifies, and that open anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select

from rebalancer.core.errors import JournalBroken, LockHeld
from rebalancer.journal import reading
from rebalancer.journal.chain import ChainRow
from rebalancer.journal.filesystem import BESIDE
from rebalancer.journal.opening import open_store
from rebalancer.journal.schema import claims, documents, events, signals
from rebalancer.journal.sqlite import SqliteDatabase
from rebalancer.journal.store import Store

TABLES: Final[tuple[Table, ...]] = (documents, claims, events, signals)
_BATCH: Final = 500


def copy_rows(
    source: Store, target: Store, *, at_rest: bool = False, progress: Callable[[], None] = lambda: None
) -> int:
    """Copy a journal into one that is empty, and return the number of rows. Raises JournalBroken, and then the target
    is as it was: the rows are compared before their transaction is committed.

    at_rest: the copy is to be the whole journal, so LockHeld is raised when the source has grown meanwhile. Without it
    the copy is the source as it was at the beginning. progress: called again and again meanwhile.
    """
    with source.reading() as read:
        source.check_tail(read)
        with target.locked() as write:
            filled = [table.name for table in TABLES if write.scalar(select(func.count()).select_from(table))]
            if filled:
                raise JournalBroken(
                    f"{target.place}: holds {', '.join(filled)} already\n  hint: copy into a journal that is empty"
                )
            for table in TABLES:
                for batch in _batches(read, table):
                    write.execute(table.insert(), batch)
                    progress()
            last = reading.newest_row(target.database.ask_on(write))
            if last is not None:
                target.database.end_with(write, None, last)
            rows = sum(_compared(read, write, table, progress) for table in TABLES)
            if at_rest:
                _refuse_grown(source, last)
    if last is not None:
        target.head.advance(last.seq, last.hash)
    return rows


def back_up(source: Store, target: Path, progress: Callable[[], None]) -> None:
    """Write a copy to a new file, readable only by its owner. Raises JournalBroken."""
    with source.translated():
        if isinstance(source.database, SqliteDatabase):
            source.database.copy_into(target)
            return
    if target.exists():
        raise JournalBroken(f"{target}: the copy cannot be written: File exists")
    if not target.parent.is_dir():
        raise JournalBroken(f"{target}: the copy cannot be written: No such file or directory")
    try:
        written = open_store(target, any_file_system=True)
        try:
            copy_rows(source, written, progress=progress)
        finally:
            written.database.close()
        written.head.forget()  # whoever puts the copy somewhere writes the checkpoint of that place
    except BaseException:
        for end in ("", *BESIDE):
            target.with_name(target.name + end).unlink(missing_ok=True)
        raise


def _refuse_grown(source: Store, last: ChainRow | None) -> None:
    with source.asking() as ask:
        newest = reading.newest_row(ask)
    if newest != last:
        raise LockHeld(f"{source.place}: was written to meanwhile\n  hint: stop whatever uses it, then copy again")


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    with connection.execution_options(yield_per=_BATCH).execute(select(table)) as rows:
        for part in rows.mappings().partitions(_BATCH):
            yield [dict(row) for row in part]


def _compared(one: Connection, other: Connection, table: Table, progress: Callable[[], None]) -> int:
    """The number of rows, equal on both sides. Raises JournalBroken naming the first that differs."""
    count = 0
    query = select(table).order_by(*table.primary_key.columns)
    with (
        one.execution_options(yield_per=_BATCH).execute(query) as left_rows,
        other.execution_options(yield_per=_BATCH).execute(query) as right_rows,
    ):
        for left, right in zip_longest(left_rows, right_rows):
            if left is None or right is None or tuple(left) != tuple(right):
                raise JournalBroken(f"the copy of {table.name} differs in row {count + 1}")
            count += 1
            if count % _BATCH == 0:
                progress()
    return count
