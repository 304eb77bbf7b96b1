"""Who ran a slot, and how it ended: claimed by key in the journal, once and for all.

A slot is claimed by the cycle that runs in it (`Journal.begin_cycle`) or by the record of why none ran in it
(`Journal.close_slot`). Both are one row with one primary key, so a clock change, a second process or a run by hand can
never run a slot twice, and every slot has exactly one outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import Journal
from rebalancer.market_data.trading_calendar import Slot

NOBODY_WAS_THERE = "no session was running"


class SlotEnd(NamedTuple):
    """How a slot ended. `outcome` None: it is claimed and has not ended yet."""

    outcome: CycleOutcome | None
    because: str
    holder: str


class SlotBook:
    """The slots of one account in its journal."""

    def __init__(self, journal: Journal, account_id: str) -> None:
        self._journal, self._account_id = journal, account_id

    def close(self, slot: Slot, at: datetime, outcome: CycleOutcome, because: str) -> bool:
        """Record why no cycle runs in a slot. False when it is claimed already; then nothing is written."""
        return self._journal.close_slot(self._account_id, slot.id, at, outcome, because)

    def ends(self, slots: Collection[Slot]) -> Mapping[str, SlotEnd]:
        """What is known of these slots, by id; unclaimed ones are left out."""
        found = self._journal.slots(self._account_id, [slot.id for slot in slots])
        return {name: SlotEnd(outcome, because, holder) for name, (holder, outcome, because) in found.items()}

    def left(self, slots: Sequence[Slot]) -> list[Slot]:
        """The unclaimed ones, in the given order."""
        claimed = self._journal.slots(self._account_id, [slot.id for slot in slots])
        return [slot for slot in slots if slot.id not in claimed]

    def sweep(self, slots: Sequence[Slot], at: datetime, because: str = NOBODY_WAS_THERE) -> int:
        """Record MISSED for every unclaimed slot before `at`; returns their number."""
        past = [slot for slot in self.left(slots) if slot.at < at]
        return sum(self.close(slot, at, CycleOutcome.MISSED, because) for slot in past)

    def newest_day(self) -> date | None:
        """The day in New York of the newest cycle or slot; None when there is none yet."""
        newest = self._journal.newest_claim(self._account_id)
        try:
            return None if newest is None else day_in_new_york(datetime.fromisoformat(newest).astimezone(UTC))
        except ValueError:
            return None  # not a time: the id of a cycle that was named in another way

    def slot_counts(self, slots: Collection[Slot]) -> Mapping[str, int]:
        """How many slots ended in which way; `open` and `unaccounted` for those that have no outcome yet."""
        ends = self.ends(slots)
        words = [_word(ends.get(slot.id)) for slot in slots]
        return dict(sorted(Counter(words).items()))


def _word(end: SlotEnd | None) -> str:
    if end is None:
        return "unaccounted"
    return "open" if end.outcome is None else str(end.outcome)
