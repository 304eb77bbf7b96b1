"""The check of the journal's mirror, from what its process reported; of a journal in a database whether it is one."""

from __future__ import annotations

from collections.abc import Iterator

from rebalancer.core.errors import JournalBroken
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.mirror.mark import read_mark
from rebalancer.journal.place import PostgresPlace
from rebalancer.journal.read_only import has_tables, read_only
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.mirror_status import read_mirror_status
from rebalancer.report.mirror import is_late, mirror_line
from rebalancer.session.doctor.findings import CheckResult, ok, warn
from rebalancer.session.setup import Setup

WHAT = "mirror"


def check_mirror(setup: Setup) -> Iterator[CheckResult]:
    """Whether the configured mirror follows the journal, or the journal is itself a mirror, on which nobody trades."""
    if isinstance(setup.journal, PostgresPlace):
        yield from _is_mirror(setup.journal)
        return
    if setup.mirror is None:
        return
    status = read_mirror_status(setup.state)
    if status is None or status.place != str(setup.mirror):
        yield warn(WHAT, f"{setup.mirror}: nothing was copied yet", "a session copies, or rebalancer mirror run")
        return
    try:
        written = HeadCheckpoint(setup.journal).read()
    except JournalBroken:  # the check of the journal says it
        return
    newest, now = None if written is None else written[0], SystemClock().wall()
    line = f"{status.place}: {mirror_line(status, newest, now)}"
    late = is_late(status, newest, now, setup.rules.journal.mirror_warn_minutes)
    if status.problem or status.difference or late:
        yield warn(WHAT, line, "rebalancer mirror status; rebalancer mirror run --once says what is in the way")
    else:
        yield ok(WHAT, line)


def _is_mirror(journal: PostgresPlace) -> Iterator[CheckResult]:
    try:
        with read_only(journal) as ask:
            mark = read_mark(ask) if has_tables(ask) else None
    except JournalBroken:  # the check of the journal says it
        return
    if mark is not None:
        yield warn(WHAT, f"{journal} is the mirror of {mark.host}; nobody trades on it", "rebalancer mirror promote")
