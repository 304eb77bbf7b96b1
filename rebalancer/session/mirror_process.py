"""The process that copies the journal to its mirror: `rebalancer mirror run`, started by the session.

It and the session share nothing but the journal's file, which it only reads, and `mirror.json`, which it writes. Only
one runs per state folder (`mirror.lock`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError, JournalLocked, MirrorRefused
from rebalancer.core.values import time_text, utc_of
from rebalancer.journal.mirror.copier import Copied, Copier
from rebalancer.journal.place import PostgresPlace
from rebalancer.ops.clock import Clock, SystemClock
from rebalancer.ops.host_identity import host_name
from rebalancer.ops.mirror_status import LOCK_NAME, MirrorStatus, read_mirror_status, write_mirror_status
from rebalancer.ops.run_lock import RunLock
from rebalancer.session.child_process import command_beside
from rebalancer.session.setup import Setup

LOG: Final = logging.getLogger(__name__)
LOG_NAME: Final = "mirror.log"
POLL_SECONDS: Final = 2.0  # between two looks at a journal that has nothing new
PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # after one failure, two, ...
NOTE_SECONDS: Final = 30.0  # how often it says that it lives
COMPARE_SIGNALS_SECONDS: Final = 3600.0
VERIFY_SECONDS: Final = 86_400.0
VERIFY_AGAIN_SECONDS: Final = 3600.0  # after a difference was found
LAST_SECONDS: Final = 5.0  # for the rows of a session that ends
NICE: Final = 10


@contextmanager
def mirrored_beside(setup: Setup) -> Iterator[None]:
    """Have the journal copied while the block runs, by a child process unless another process does it already. What is
    written up to the end of the block is copied if the database answers in time."""
    with command_beside(setup, "the journal is mirrored", ("mirror", "run"), LOCK_NAME, LOG_NAME):
        yield


def keep_mirror(setup: Setup, ending: threading.Event, clock: Clock | None = None) -> None:
    """Copy until the event is set. Raises BadDocument without a mirror, LockHeld when another process copies."""
    path, place = journal_and_mirror(setup)
    with RunLock(setup.state / LOCK_NAME, "mirror"):
        MirrorKeeper(path, place, setup.state, clock or SystemClock()).run(ending)


def copy_once(setup: Setup) -> Copied:
    """Copy until the mirror has everything. Raises BadDocument, LockHeld, and JournalBroken with what is in the way."""
    path, place = journal_and_mirror(setup)
    with RunLock(setup.state / LOCK_NAME, "mirror"):
        return MirrorKeeper(path, place, setup.state, SystemClock()).once()


def verify_once(setup: Setup) -> tuple[int, int]:
    """Compare the mirror with the journal row by row, and report what was found as the process that copies does.
    Returns the newest row compared and the journal's newest row. Raises BadDocument without a mirror, JournalBroken
    naming the first row that differs."""
    path, place = journal_and_mirror(setup)
    try:
        with closing(Copier(path, place, host_name())) as copier:
            row, newest = copier.verify(), copier.primary.head().seq
    except (JournalLocked, MirrorRefused):
        raise
    except ExternalError as error:
        _report_comparison(setup.state, place, None, str(error))
        raise
    _report_comparison(setup.state, place, row, "")
    return row, newest


def _report_comparison(state: Path, place: PostgresPlace, row: int | None, difference: str) -> None:
    now = time_text(SystemClock().wall())
    found = read_mirror_status(state)
    if found is None or found.place != str(place):
        found = MirrorStatus(str(place), now)
    if row is not None:
        found = found._replace(verified_row=row, verified_at=now)
    write_mirror_status(state, found._replace(difference=difference, compared_at=now))


def journal_and_mirror(setup: Setup) -> tuple[Path, PostgresPlace]:
    """The journal's file and its mirror. Raises BadDocument without a mirror, as when the journal is in a database."""
    if setup.mirror is None or not isinstance(setup.journal, Path):
        raise BadDocument("journal.mirror_url", "no mirror is configured", "set it to postgresql://user@host/database")
    return setup.journal, setup.mirror


class MirrorKeeper:
    """Keeps one mirror level, and reports how it stands."""

    def __init__(self, path: Path, place: PostgresPlace, state: Path, clock: Clock) -> None:
        self._path, self._place, self._state, self._clock = path, place, state, clock
        self._copier: Copier | None = None
        self._failures, self._said_last = 0, ""
        before = read_mirror_status(state)
        fresh = MirrorStatus(str(place), time_text(clock.wall()))
        self._status = before if before is not None and before.place == fresh.place else fresh
        now = clock.monotonic()
        self._note_at = self._signals_at = now
        self._verify_at = now if self._status.verified_at is None else now + self._verify_in()

    def run(self, ending: threading.Event) -> None:
        """Copy until the event is set, and then what is left, if that does not take long."""
        pause = 0.0
        try:
            while not ending.wait(pause):
                pause = self._round()
            deadline = self._clock.monotonic() + LAST_SECONDS
            while not self._failures and self._clock.monotonic() < deadline:
                if self._round() > 0:
                    break
            self._tell()
        finally:
            self._close()

    def once(self) -> Copied:
        """Copy until the mirror has everything. Raises JournalBroken."""
        try:
            while not (copied := self._copy()).is_level:
                pass
            self._compare_signals()
            return copied
        except ExternalError as error:
            self._fail(error)
            raise
        finally:
            self._tell()
            self._close()

    def _round(self) -> float:
        """Copy one batch; returns the seconds until the next."""
        try:
            copied = self._copy()
            if copied.is_level:
                self._keep_up()
        except ExternalError as error:
            self._fail(error)
            pause = PAUSES[min(self._failures, len(PAUSES)) - 1]
            return PAUSES[-1] if isinstance(error, MirrorRefused) else pause
        return POLL_SECONDS if copied.is_level else 0.0

    def _copy(self) -> Copied:
        if self._copier is None:
            self._copier = Copier(self._path, self._place, host_name())
        copied = self._copier.copy()
        was, self._failures = self._status, 0
        self._status = was._replace(
            row=copied.secondary.seq, hash=copied.secondary.hash, kind="", problem="", problem_since=None,
            level_at=time_text(self._clock.wall()) if copied.is_level else was.level_at,
        )  # fmt: skip
        now = self._clock.monotonic()
        turned_level = copied.is_level and (was.row != copied.secondary.seq or bool(was.problem))
        if now >= self._note_at or turned_level:
            self._copier.note(is_level=copied.is_level)
            self._note_at = now + NOTE_SECONDS
            self._tell()
        elif was.row != self._status.row or was.problem:
            self._tell()
        if was.problem or was.row is None:
            self._say(f"copying to {self._place}, from row {copied.secondary.seq} of {copied.primary.seq} on")
        return copied

    def _keep_up(self) -> None:
        """What is done from time to time while there is nothing to copy."""
        if self._clock.monotonic() >= self._signals_at + COMPARE_SIGNALS_SECONDS:
            self._compare_signals()
        if self._clock.monotonic() >= self._verify_at:
            self._verify()

    def _compare_signals(self) -> None:
        assert self._copier is not None
        self._copier.compare_signals()
        self._signals_at = self._clock.monotonic()

    def _verify(self) -> None:
        """Compare all rows. What differs is reported, and rows are copied on: the newest one of both is the same."""
        assert self._copier is not None
        found, began = "", self._clock.monotonic()
        try:
            row = self._copier.verify()
            self._status = self._status._replace(verified_row=row, verified_at=time_text(self._clock.wall()))
            self._say(f"every row up to {row} is the same in {self._place}")
        except JournalLocked:
            raise
        except ExternalError as error:
            found = str(error)
            self._say(f"the mirror differs: {found}", logging.ERROR)
        self._status = self._status._replace(difference=found, compared_at=time_text(self._clock.wall()))
        self._verify_at = began + (VERIFY_AGAIN_SECONDS if found else VERIFY_SECONDS)
        self._tell()

    def _verify_in(self) -> float:
        verified = self._status.verified_at
        assert verified is not None
        return max(VERIFY_SECONDS - (self._clock.wall() - utc_of(verified)).total_seconds(), 0.0)

    def _fail(self, error: ExternalError) -> None:
        self._close()
        self._failures += 1
        kind = (
            "away" if isinstance(error, JournalLocked) else "refused" if isinstance(error, MirrorRefused) else "failed"
        )
        since = self._status.problem_since or time_text(self._clock.wall())
        self._status = self._status._replace(kind=kind, problem=str(error), problem_since=since)
        self._tell()
        self._say(f"nothing is copied: {error}", logging.WARNING)

    def _tell(self) -> None:
        there = read_mirror_status(self._state)  # `mirror verify` reports to the same file
        if there is not None:
            self._status = self._status.with_comparison_of(there)
        self._status = self._status._replace(at=time_text(self._clock.wall()))
        write_mirror_status(self._state, self._status)

    def _say(self, text: str, level: int = logging.INFO) -> None:
        if text != self._said_last:  # a database that stays away is one line
            LOG.log(level, "%s", text)
        self._said_last = text

    def _close(self) -> None:
        if self._copier is not None:
            self._copier.close()
            self._copier = None


def yield_to_trading() -> None:
    """Let every cycle of this machine go first."""
    os.nice(NICE)
