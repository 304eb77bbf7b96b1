"""The head checkpoint: a small file beside the journal with the number and hash of its newest row.

After its write-ahead log is deleted, or an old copy replaces the file, the journal is shorter but still consistent in
itself; only a record outside it reveals the loss. The checkpoint is written after each commit, so it is never ahead of
what is on disk, and it is read before each write. A missing checkpoint is accepted: that allows an old copy to be used
on purpose.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rebalancer.core.errors import JournalBroken, JournalSetBack
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.ops.disk import fix_of, free_words

POSTGRES_NAME: Final = "journal.postgresql"  # in the state folder; there is no file of that name, only its checkpoint
_LINE: Final = re.compile(rb"(\d{20}) ([0-9a-f]{64})\n")


class HeadCheckpoint:
    """The number and hash of the newest row, in `<journal>.head`; of a database every host has one."""

    def __init__(self, journal: Path, place: str = "") -> None:
        """place: the journal's name in messages, by default its path."""
        self._place, self._is_database = place or str(journal), bool(place)
        self.path = journal.with_name(journal.name + ".head")

    @property
    def _hint(self) -> str:
        if self._is_database:
            return "bring the newest database back; to go on from this one on purpose: rebalancer resume --reason WHY"
        return f"bring the newest file back; to go on from an old copy on purpose, delete {self.path.name}"

    def read(self) -> tuple[int, str] | None:
        """The row number and hash of the checkpoint; None when there is none, or a crash left it empty."""
        with self._open(os.O_RDONLY, fcntl.LOCK_SH) as handle:
            return None if handle is None or not os.fstat(handle).st_size else self._read(handle)

    def behind(self, written: int, found: int) -> JournalSetBack:
        """The error for a journal that has lost its tail."""
        return JournalSetBack(
            f"{self._place}: {written} rows were written, but only {found} are there: its tail is missing, or an "
            f"old copy took its place\n  hint: {self._hint}"
        )

    def check(self, checkpoint: tuple[int, str] | None, last_seq: int, hash_at: Callable[[int], object]) -> None:
        """Raise JournalBroken unless the checkpoint's row exists. The checkpoint must be read before the rows."""
        if checkpoint is None:
            return
        seq, row_hash = checkpoint
        if last_seq < seq:
            raise self.behind(seq, last_seq)
        if hash_at(seq) != row_hash:
            raise JournalSetBack(
                f"{self._place}: row {seq} is not the one that was written: the history was replaced\n"
                f"  hint: {'restore the last good backup' if not self._is_database else self._hint}"
            )

    def advance(self, seq: int, row_hash: str) -> None:
        """Record a committed row. Never moves back: another process may have recorded a later row already."""
        new = not self.path.exists()
        with self._open(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX) as handle:
            assert handle is not None
            now = self._read(handle) if os.fstat(handle).st_size else None
            if now is None or now[0] < seq:
                os.pwrite(handle, b"%020d %s\n" % (seq, row_hash.encode()), 0)
            if new:  # later writes keep the size, so a power cut leaves an older line at worst
                os.fsync(handle)

    def forget(self) -> None:
        """Remove it, so that whatever the journal holds now is accepted."""
        self.path.unlink(missing_ok=True)

    def _read(self, handle: int) -> tuple[int, str]:
        match = _LINE.fullmatch(os.pread(handle, 200, 0))
        if match is None:
            raise JournalBroken(f"{self.path}: is damaged\n  hint: run `rebalancer doctor`, then delete this file")
        return int(match[1]), match[2].decode()

    @contextmanager
    def _open(self, flags: int, lock: int) -> Iterator[int | None]:
        try:
            handle = os.open(self.path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            hint = fix_of(self.path, error.errno)
            raise JournalBroken(f"{self.path}: cannot be opened: {error.strerror}\n  hint: {hint}") from None
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise JournalBroken(f"{self.path}: is not a regular file\n  hint: move it away")
            fcntl.flock(handle, lock)
            yield handle
        except OSError as error:
            hint = fix_of(self.path, error.errno)
            raise JournalBroken(
                f"{self.path}: cannot be written: {error.strerror}{free_words(self.path)}\n  hint: {hint}"
            ) from None
        finally:
            os.close(handle)


class NoCheckpoint(HeadCheckpoint):
    """For a database that belongs to no state folder: nothing is remembered, and nothing is refused."""

    def __init__(self) -> None:
        super().__init__(Path("none"))

    def read(self) -> tuple[int, str] | None:
        return None

    def advance(self, seq: int, row_hash: str) -> None:
        pass

    def forget(self) -> None:
        pass


def checkpoint_of(place: Place) -> HeadCheckpoint:
    """This host's checkpoint of a journal."""
    if not isinstance(place, PostgresPlace):
        return HeadCheckpoint(place)
    return NoCheckpoint() if place.state is None else HeadCheckpoint(place.state / POSTGRES_NAME, str(place))
