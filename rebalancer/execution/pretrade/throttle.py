"""The throttle: when more orders are sent within a minute than any cycle would send, nothing more is sent until a
person lifts it.

It is a `latched` event with the key `throttle`, so it survives restarts; `rebalancer resume --reason` writes the
`rearmed` event that lifts it. Exit pairs still pass, a few per position: it may latch after exits were withdrawn for a
trade, and nothing must stay unprotected because orders are held back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.journal import Journal

NAME: Final = "throttle"


class Latch(NamedTuple):
    """Why the throttle is latched, and the journal's row that says so."""

    because: str
    seq: int


def latched_because(journal: Journal, account_id: str) -> str | None:
    """Why the throttle is latched; None when it is not."""
    latch = latch_of(journal, account_id)
    return None if latch is None else latch.because


def latch_of(journal: Journal, account_id: str) -> Latch | None:
    """The latch that stands; None when there is none."""
    latched = journal.recall(account_id, "latched", keys=[NAME], last=1)
    rearmed = journal.recall(account_id, "rearmed", keys=[NAME], last=1)
    if not latched or (rearmed and rearmed[-1].seq > latched[-1].seq):
        return None
    return Latch(str(latched[-1].body["because"]), latched[-1].seq)


def latch_throttle(journal: Journal, account_id: str, cycle_id: str | None, at: datetime, because: str) -> None:
    """Latch the throttle, and alert a person."""
    said = f"{because}; nothing more is sent until: rebalancer resume --reason ..."
    journal.record_events(
        account_id,
        cycle_id,
        at,
        [
            ("latched", NAME, {"because": because}),
            alert_row(NAME, "action", "latched", said),
        ],
    )


def rearm_throttle(journal: Journal, account_id: str, at: datetime, reason: str) -> bool:
    """Lift the throttle for a person who gives a reason. False when it was not latched."""
    if latched_because(journal, account_id) is None:
        return False
    journal.record_event(account_id, None, at, "rearmed", NAME, {"reason": reason})
    return True
