"""A person accepts what the broker says as the new books, after a reset or anything else that only people can know."""

from __future__ import annotations

from datetime import datetime

from rebalancer.outcomes import CycleOutcome
from rebalancer.world.journal.journal import Journal
from rebalancer.world.journal.records import CycleEnd


def accept_books(journal: Journal, account_id: str, at: datetime, reason: str) -> bool:
    """Let the next cycle take the broker's positions as they are, and begin a new high-water mark. Returns whether the
    last cycle had halted for its books; otherwise there is nothing to accept and nothing is written."""
    last = journal.last_end(account_id)
    if last is None or last.outcome is not CycleOutcome.HALTED_UNRECONCILED:
        return False
    journal.record_event(
        account_id, None, at, "books_accepted", last.cycle_id, {"reason": reason, "because": last.because}
    )
    return True


def are_accepted(journal: Journal, last: CycleEnd | None) -> bool:
    """Whether a person has accepted other books than those that this cycle left."""
    if last is None or last.outcome is not CycleOutcome.HALTED_UNRECONCILED:
        return False
    return bool(journal.recall(last.account_id, "books_accepted", keys=[last.cycle_id]))
