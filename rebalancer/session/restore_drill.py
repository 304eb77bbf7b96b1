"""Prove that the newest backup can be restored: put it in place in a folder of its own, as `db restore` does, read it
whole, find its last row in the journal in use, and plan its newest cycles again. Nothing of the account is touched."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.backups import FOLDER, RESTORED, newest_first, restore
from rebalancer.report.archive import replayed

KIND: Final = "restore_drill"  # the event in the journal in use
CODE: Final = "restore_drill"
PLANS: Final = 20
AGE_MAX: Final = timedelta(days=4)  # a long weekend: the newest copy is that of the last trading day


class Drill(NamedTuple):
    """What a drill restored: the copy, its rows, its newest event, and how many plans came out the same again."""

    file: Path
    rows: int
    newest_at: datetime | None
    plans: int


def restore_drill(journal: Journal, state: Path, at: datetime) -> Drill:
    """Restore the newest copy below a state folder into a temporary one and check it there. The journal in use gets an
    event; when the drill fails, an alert instead. at: the machine's time, aware UTC. Raises JournalBroken."""
    try:
        found = _drilled(journal, state, at)
    except JournalBroken as error:
        said = str(error).partition("\n")[0]
        row = alert_row(CODE, "action", CODE, f"the newest backup cannot be restored: {said}", trades=False)
        _record(journal, at, *row)
        raise
    body = {"file": found.file.name, "rows": found.rows, "plans": found.plans}
    _record(journal, at, KIND, found.file.name, body)
    return found


def _drilled(journal: Journal, state: Path, at: datetime) -> Drill:
    copies = newest_first(state / FOLDER)
    if not copies:
        raise JournalBroken(f"{state / FOLDER}: there is no copy\n  hint: rebalancer db backup")
    with tempfile.TemporaryDirectory(prefix="rebalancer-drill-") as folder:
        place = Path(folder) / "journal.sqlite"
        done = restore(copies[0], place, at, "restore drill")
        if done.newest_at is not None and at - done.newest_at > AGE_MAX and _is_newer(journal, done.newest_at):
            raise JournalBroken(f"{copies[0]}: ends on {done.newest_at:%Y-%m-%d}\n  hint: rebalancer db backup")
        with Journal.open(place, create=False) as copy:
            last = next((event for event in copy.latest_events(10) if event.kind != RESTORED), None)
            if last is not None and copy.row_hash(last.seq) != journal.row_hash(last.seq):
                raise JournalBroken(f"{copies[0]}: is of another journal: its row {last.seq} is not in the one in use")
            planned = [c for c in copy.cycles(None, PLANS) if copy.plan_text(c.cycle_id, c.account_id) is not None]
            for cycle in planned:
                if replayed(copy, cycle.cycle_id).wrong:
                    raise JournalBroken(f"{copies[0]}: the plan of {cycle.cycle_id} does not come out the same again")
    return Drill(copies[0], done.rows, done.newest_at, len(planned))


def _is_newer(journal: Journal, than: datetime) -> bool:
    latest = journal.latest_events(1)
    return bool(latest) and latest[0].at - than > AGE_MAX


def _record(journal: Journal, at: datetime, kind: str, key: str | None, body: dict[str, object]) -> None:
    latest = journal.latest_events(1)
    if latest:
        journal.record_event(latest[0].account_id, None, at, kind, key, body)
