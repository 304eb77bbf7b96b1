"""Copy a journal's file into its mirror, one batch at a time, and compare the two.

    1. the mirror's head                     asked once, then known, because nobody else writes there
    2. the file's row of that number         must have the same hash, else the mirror holds another history
    3. the next rows                         read and checked; the file is let go
    4. one transaction in the database       lock, mark, head, rows, new head

What was not committed is copied again; what was, is found by the head. So a process that is killed at any moment leaves
a mirror that is a prefix of the journal, and the next one goes on from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rebalancer.journal.archived import Archived
from rebalancer.journal.mirror import signals
from rebalancer.journal.mirror.compare import compare
from rebalancer.journal.mirror.mark import EMPTY, ChainHead, MirrorMark
from rebalancer.journal.mirror.primary import Primary, refuse_other_history
from rebalancer.journal.mirror.secondary import Secondary
from rebalancer.journal.mirror.slices import BYTES_MAX, ROWS_MAX, Slice, check_slice, read_slice
from rebalancer.journal.opening import BUSY_TIMEOUT_MS
from rebalancer.journal.place import PostgresPlace


class Copied(NamedTuple):
    """What one batch did: the newest row on both sides when it was read, how many events and signals it wrote, and
    whether the mirror then held everything."""

    primary: ChainHead
    secondary: ChainHead
    events: int
    signals: int

    @property
    def is_level(self) -> bool:
        """Whether nothing was left to copy."""
        return self.primary == self.secondary and not self.signals


class Copier:
    """Copies one journal to one mirror. Raises JournalLocked while the database is away: create another one then."""

    def __init__(
        self, path: Path, place: PostgresPlace, host: str, *, rows_max: int = ROWS_MAX,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> None:  # fmt: skip
        """host: the name of this host, for the mark. Connects, and marks an empty schema as a mirror; raises
        MirrorRefused for a journal of its own."""
        self.primary, self._rows_max = Primary(path), rows_max
        self.secondary = Secondary(place, busy_timeout_ms)
        try:
            self.mark: MirrorMark = self.secondary.begin(host)
            self._head: ChainHead | None = None
            self._last_signal: signals.LastSeen | None = None
            self._are_signals_compared = False
        except BaseException:
            self.secondary.close()
            raise

    def close(self) -> None:
        """Close the connections."""
        self.secondary.close()

    def copy(self) -> Copied:
        """Copy the next batch: events first, signals once there are no more. Raises MirrorRefused when the mirror is
        not a prefix of the journal; JournalBroken for a damaged journal, and when either side cannot be reached."""
        head = self._head if self._head is not None else self.secondary.head()
        self._head = None  # known again once the database has confirmed
        newest, found, archived = self._next(head)
        if found is not None:
            check_slice(found, head.seq, head.hash, archived)
            head = self.secondary.append(head, found)
        self._head = head
        written = 0 if found is not None else self._copy_signals()
        return Copied(newest, head, 0 if found is None else len(found.events), written)

    def _next(self, head: ChainHead) -> tuple[ChainHead, Slice | None, int]:
        """The journal's newest row, the batch that follows `head`, None when there is none, and up to which row an
        archive may have the documents."""
        with self.primary.reading() as found:
            ask, newest = (None, EMPTY) if found is None else found
            refuse_other_history(ask, newest, head, str(self.primary.path), str(self.secondary.place))
            if ask is None or newest.seq == head.seq:
                return newest, None, 0
            part = read_slice(ask, head.seq, newest.seq, rows_max=self._rows_max, bytes_max=BYTES_MAX)
            return newest, part, Archived.of(ask).row

    def _copy_signals(self) -> int:
        """Copy what is new in the signals table; everything that differs the first time, and when the last row seen has
        lost its number. Returns the rows written."""
        found = self._newer(self._last_signal) if self._are_signals_compared else None
        if found is None:
            return self.compare_signals()
        rows, last = found
        if rows:
            self.secondary.put_signals(rows)
        self._last_signal = last
        return len(rows)

    def compare_signals(self) -> int:
        """Make the signals table equal to the file's, page by page. Returns the rows written and removed."""
        count, after = 0, None
        self._are_signals_compared = False
        while (page := self._newer(after)) is not None and page[1] != after:
            rows, after = page
            with self.secondary.reading() as there:
                changed = signals.differing(there, rows)
            if changed:
                self.secondary.put_signals(changed)
            count += len(changed)
        count += self._remove_signals()
        self._last_signal, self._are_signals_compared = after, True
        return count

    def _newer(self, after: signals.LastSeen | None) -> tuple[list[signals.Row], signals.LastSeen | None] | None:
        """The next signals after a row, None when that row has lost its number."""
        with self.primary.reading() as found:
            if found is None:
                return [], after
            return signals.newer(found[0], after) if signals.is_there(found[0], after) else None

    def _remove_signals(self) -> int:
        """Remove the signals that the file no longer has."""
        count, last = 0, ""
        while True:
            with self.secondary.reading() as there:
                ids = signals.ids_after(there, last)
            if not ids:
                return count
            with self.primary.reading() as found:
                removed = ids if found is None else signals.missing(found[0], ids)
            if removed:
                self.secondary.put_signals((), removed)
            count, last = count + len(removed), ids[-1]

    def verify(self) -> int:
        """Compare the mirror with the journal row by row, and note up to which row they agree; returns that row.
        Raises JournalBroken naming the first row that differs."""
        row = compare(self.primary, self.secondary)
        self.mark = self.secondary.note(is_level=False, verified_seq=row)
        return row

    def note(self, *, is_level: bool) -> None:
        """Let the database know that this process lives, and whether the mirror holds everything."""
        self.mark = self.secondary.note(is_level=is_level)
