"""The journal that is copied: a file, read in short transactions. Imports no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rebalancer.core.errors import JournalBroken, MirrorRefused
from rebalancer.journal import reading
from rebalancer.journal.conditions import Ask
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.mirror.mark import EMPTY, ChainHead
from rebalancer.journal.read_only import has_tables, may_exist, read_only
from rebalancer.journal.status_query import SCHEMA


class Primary:
    """The file. Nothing that is done here keeps a writer waiting: readers of a write-ahead log take no lock."""

    def __init__(self, path: Path) -> None:
        self.path, self._head = path, HeadCheckpoint(path)

    @contextmanager
    def reading(self) -> Iterator[tuple[Ask, ChainHead] | None]:
        """One consistent state and its newest row; None while there is no journal. Raises JournalBroken, also when the
        journal has lost its tail. Keep it short: while it lasts, the write-ahead log is not merged into the file."""
        if not may_exist(self.path):
            yield None
            return
        checkpoint = self._head.read()  # read before the rows, which can only grow in between
        with read_only(self.path) as ask:
            if not has_tables(ask):
                yield None
                return
            version = ask("SELECT version_num FROM alembic_version", {})
            if not version or version[0][0] != SCHEMA:
                raise JournalBroken(
                    f"{self.path}: was written by another version of this program\n"
                    "  hint: rebalancer doctor upgrades it"
                )
            last = reading.check_tail(ask, self._head, checkpoint)
            yield ask, EMPTY if last is None else ChainHead(last.seq, last.hash)

    def head(self) -> ChainHead:
        """The newest row."""
        with self.reading() as found:
            return EMPTY if found is None else found[1]


def refuse_other_history(ask: Ask | None, newest: ChainHead, head: ChainHead, journal: str, mirror: str) -> None:
    """Raise MirrorRefused unless the mirror's newest row is a row of the journal. ask: None without a journal."""
    if not head.seq:
        return
    hint = (
        "nothing is copied. If the mirror was promoted, or its host is another one, leave it; else drop its schema, "
        "and it is copied anew"
    )
    if ask is None or newest.seq < head.seq:
        raise MirrorRefused(
            f"{mirror}: has row {head.seq}, and {journal} ends with row {newest.seq}: the journal was set back, or it "
            f"is another one\n  hint: {hint}"
        )
    rows = ask("SELECT hash FROM events WHERE seq = :seq", {"seq": head.seq})
    if not rows:
        raise JournalBroken(f"{journal}: row {head.seq} is missing\n  hint: rebalancer db check")
    if rows[0][0] != head.hash:
        raise MirrorRefused(
            f"{mirror}: its row {head.seq} is not the row {head.seq} of {journal}: another history\n  hint: {hint}"
        )
