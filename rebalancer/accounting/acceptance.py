"""Let a person accept the broker's positions as the new baseline, after a reset or anything only a person can know."""

from __future__ import annotations

from datetime import datetime
from typing import Final

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
from rebalancer.journal.reading import OPENING_BALANCE
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import CycleEnd

__all__ = ["ACCEPTED", "NOBODY", "accept_books", "adopts_positions", "is_new_on_purpose"]

# Decided before the positions are looked at: such a cycle says nothing about an earlier halt for them.
BEFORE_THE_BOOKS: Final = frozenset(
    {
        CycleOutcome.HALTED_KILL_SWITCH,
        CycleOutcome.SKIPPED_PAUSED,
        CycleOutcome.SKIPPED_MARKET_CLOSED,
        CycleOutcome.SKIPPED_TOO_LATE,
        CycleOutcome.HALTED_ACCOUNT,
    }
)


def accept_books(journal: Journal, account_id: str, at: datetime, reason: str) -> bool:
    """Let the next cycle adopt the broker's positions as they are, and start a new high-water mark. Returns True in
    three cases; otherwise there is nothing to accept and nothing is written.

    - The last cycle that reconciled its positions halted because of them. Exits, abandoned cycles and cycles that were
      stopped before the positions counted, such as by the kill switch, change nothing about that.
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
    halted = _halted_for_its_books(journal, account_id) if last is not None else None
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


def adopts_positions(journal: JournalReads, account_id: str) -> bool:
    """Whether the next run takes the broker's positions as they are: no run has done so yet, or a person has accepted
    them since the last run whose expectations come from the broker began. What exits and abandoned cycles carry on from
    an earlier cycle does not count as that."""
    began = journal.books_set_at(account_id)
    if not began:
        return True
    return any(event.key != RESTORED for event in journal.recall(account_id, ACCEPTED, after=began))


def _halted_for_its_books(journal: JournalReads, account_id: str) -> CycleEnd | None:
    """The last cycle that reconciled its positions, if it halted because of them and nothing has adopted them since."""
    last = journal.last_reading(account_id, (CycleOutcome.ABANDONED,))
    if last is not None and last.outcome in BEFORE_THE_BOOKS and last.unexplained:
        last = journal.last_reading(account_id, (CycleOutcome.ABANDONED, *BEFORE_THE_BOOKS))
    if last is None or last.outcome is not CycleOutcome.HALTED_UNRECONCILED:
        return None
    (start,) = journal.events(last.cycle_id, kind="cycle_started", account_id=account_id)
    taken = journal.recall(account_id, OPENING_BALANCE, last=1, after=start.seq)
    return None if any(event.cycle_id != last.cycle_id for event in taken) else last
