"""Programs of several versions on one journal: an older one refuses what a newer one began, and a newer one keeps a
copy of what the older one left before it writes to it. A dry run begins nothing. docs/how-to/upgrade.md says how to use
both."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.backups import FOLDER, take_before_upgrade
from rebalancer.journal.records import DRY_RUN, Event

LOG: Final = logging.getLogger(__name__)
KIND: Final = "program_upgraded"  # the event: from which version, to which, and the copy that was taken between them


def refuse_older(journal: Journal, account_id: str, version: str) -> Event | None:
    """The beginning of the newest cycle that was no dry run, None when there was none. Raises JournalBroken when a
    newer version ran it: this program may not understand all that was recorded, or record it differently. A version
    that is not a dotted row of numbers is ignored."""
    of_modes = journal.newest_of_each("cycle_started", account_id)
    started = max((event for event in of_modes if event.key != DRY_RUN), key=lambda event: event.seq, default=None)
    if started is None:
        return None
    theirs = str(started.body["version"])
    ours, before = _numbers(version), _numbers(theirs)
    if ours is not None and before is not None and ours < before:
        raise JournalBroken(
            f"{journal.place}: its newest cycle was run by rebalancer {theirs}, this is {version}\n"
            "  hint: start the newer one; the way back to this one is in docs/how-to/upgrade.md"
        )
    return started


def keep_before_upgrade(
    journal: Journal,
    started: Event | None,
    version: str,
    at: datetime,
    *,
    dry_run: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Copy the journal into the backups when its newest cycle, which began with `started`, was run by another version,
    and record that. A copy that fails is told as an alert and stops nothing: a position must not lose its exits for it.

    dry_run: one copy for all dry runs of a version, however often the other one trades between them. progress: called
    again and again meanwhile.
    """
    if started is None or started.body["version"] == version:
        return
    account_id = started.account_id
    recorded = journal.recall(account_id, KIND, last=1)
    if recorded and recorded[-1].body["to"] == version and (dry_run or recorded[-1].seq > started.seq):
        return
    copy = ""
    try:
        copy = take_before_upgrade(journal.place, journal.state / FOLDER, at, version, progress).path.name
    except Exception as error:  # noqa: BLE001 - a failed copy must never end a trading day
        LOG.warning("backup: %s", error)
        text = f"the journal was not copied before version {version}: {error}; try: rebalancer db backup"
        journal.record_event(account_id, None, at, *alert_row(version, "warning", "backup", text))
    journal.record_event(
        account_id, None, at, KIND, None, {"from": started.body["version"], "to": version, "copy": copy}
    )


def _numbers(version: str) -> tuple[int, ...] | None:
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else None
