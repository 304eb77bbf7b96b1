"""An older program does not go on with what a newer one began: it may not know all that was written, or write it
otherwise."""

from __future__ import annotations

import re

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal


def refuse_older(journal: Journal, account_id: str, version: str) -> None:
    """Raise JournalBroken when the newest cycle is a newer version's. A version that is no row of numbers says
    nothing."""
    started = journal.newest_of_each("cycle_started", account_id)
    if not started:
        return
    theirs = str(max(started, key=lambda event: event.seq).body["version"])
    ours, before = _numbers(version), _numbers(theirs)
    if ours is not None and before is not None and ours < before:
        raise JournalBroken(
            f"{journal.path}: its newest cycle was run by rebalancer {theirs}, this is {version}\n"
            "  hint: two versions are installed; start the newer one"
        )


def _numbers(version: str) -> tuple[int, ...] | None:
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else None
