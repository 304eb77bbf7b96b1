"""`status --state DIR`: the status of another state folder than the configured one."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.other_state import journal_in
from rebalancer.cli.status import MODES, shown, written
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.place import Place
from rebalancer.journal.status_query import JournalStatus, query_status
from rebalancer.report.records import Mode, StatusView
from rebalancer.report.status_view import nothing_yet, view_of, with_schedule


def status_of(state: Path, *, as_json: bool, colour: bool) -> int:
    """Print the status of another state folder, such as the demo's: what ran last in it. Raises BadDocument."""
    view = view_at(journal_in(state))
    sys.stdout.write(written(view, {}) if as_json else shown(view, colour=colour))
    return ExitCode.DONE


def view_at(path: Place) -> StatusView:
    """What the journal at a place says of its account, and when the next cycle is due. Raises BadDocument."""
    now = datetime.now(UTC)  # noqa: TID251 - as in `gathered`
    if isinstance(path, Path):
        refuse_irregular_journal(path)
    look, view = query_status(path, now=now), nothing_yet(now)
    if look is None:
        return view
    mode = next((name for name in MODES if name == path.parent.name), None) or _mode_of(look)
    rules = None if look.rules is None else json.loads(look.rules)
    view = view_of(look, mode, path, now)
    return with_schedule(view, {mode: path.parent}, rules, view.now)


def _mode_of(look: JournalStatus) -> Mode:
    last = None if look.last_cycle is None else look.last_cycle.mode
    return next((name for name in MODES if name == last), "simulated")
