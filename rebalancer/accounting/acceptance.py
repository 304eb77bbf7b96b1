"""Let a person accept the broker's positions as the new baseline, after a reset or anything only a person can know."""

from __future__ import annotations

from datetime import datetime

from rebalancer.accounting.adoption import (
    ACCEPTED,
    FIRST,
    NOBODY,
    RESTORED,
    named_to_a_new_journal,
    takes_all,
    waiting_for_a_person,
)
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal.journal import Journal
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import CycleEnd

__all__ = ["ACCEPTED", "NOBODY", "accept_books", "are_accepted", "is_new_on_purpose"]


def accept_books(journal: Journal, account_id: str, at: datetime, reason: str) -> bool:
    """Let the next cycle adopt the broker's positions as they are, and start a new high-water mark. Returns True in
    three cases; otherwise there is nothing to accept and nothing is written.

    - The last cycle halted because its positions did not reconcile.
    - The last run was stopped by orders that this journal lacks, because an older copy was restored; exactly those
      orders are accepted.
    - There is no cycle yet. Then the orders of an earlier journal that stopped the first run are accepted; before any
      run, those that the first start finds.
    """
    last = journal.last_end(account_id) if account_id else None
    if last is None and not journal.cycles(None, 1):
        body: dict[str, object] = {"reason": reason, "because": "this journal is new and the account is not"}
        if named := named_to_a_new_journal(journal):
            body["orders"] = list(named)
        journal.record_event(NOBODY, None, at, ACCEPTED, FIRST, body)
        return True
    halted = last if last is not None and last.outcome is CycleOutcome.HALTED_UNRECONCILED else None
    orders = waiting_for_a_person(journal, account_id) if account_id else ()
    if halted is None and not orders:
        return False
    because = halted.because if halted is not None else f"{len(orders)} orders with our prefix are not in this journal"
    key = halted.cycle_id if halted is not None else RESTORED
    said: dict[str, object] = {"reason": reason, "because": because}
    if orders:
        said["orders"] = list(orders)
    journal.record_event(account_id, None, at, ACCEPTED, key, said)
    return True


def is_new_on_purpose(journal: JournalReads) -> bool:
    """Whether a person has declared this a new journal, regardless of orders from an earlier one."""
    return takes_all(journal)


def are_accepted(journal: JournalReads, last: CycleEnd | None) -> bool:
    """Whether this cycle halted unreconciled and a person has since accepted the broker's positions."""
    if last is None or last.outcome is not CycleOutcome.HALTED_UNRECONCILED:
        return False
    return bool(journal.recall(last.account_id, "books_accepted", keys=[last.cycle_id]))
