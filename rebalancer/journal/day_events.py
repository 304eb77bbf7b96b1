"""The events from which the account's newest value and the return of its day follow, read in milliseconds."""

from __future__ import annotations

from typing import Final, NamedTuple

from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.journal import reading
from rebalancer.journal.chain import stamp
from rebalancer.journal.conditions import Ask, where
from rebalancer.journal.documents import kept_text
from rebalancer.journal.records import DRY_RUN, MONEY_AFTER_EXIT, Event

VALUES: Final = ("account", MONEY_AFTER_EXIT, "day_closed")  # events that state the equity and the cash of the account


class DayEvents(NamedTuple):
    """`value` is the newest statement of the account's value, `before` the last one of an earlier day. Without one,
    `opening` is the text of the snapshot with which the records began. `ended` is the newest end of a cycle, with the
    high-water mark; `flows` are the deposits and withdrawals since `before`."""

    value: Event | None = None
    before: Event | None = None
    opening: str | None = None
    ended: Event | None = None
    flows: tuple[Event, ...] = ()


def query_day(ask: Ask, account_id: str) -> DayEvents:
    """Read them for one account. Values from before a person accepted other books do not count."""
    accepted = reading.recall(ask, account_id, "books_accepted", last=1)
    after = accepted[-1].seq if accepted else 0
    value = reading.newest(ask, where("seq > :after", kind=VALUES, account_id=account_id, after=after))
    ended = reading.newest(ask, where("key != :dry", kind="cycle_ended", account_id=account_id, dry=DRY_RUN))
    if value is None:
        return DayEvents(ended=ended)
    morning = stamp(midnight_in_new_york(value.at))
    earlier = where("seq > :after", "at < :morning", kind=VALUES, account_id=account_id, after=after, morning=morning)
    before = reading.newest(ask, earlier)
    opening = _opening(ask, account_id, after) if before is None else None
    flows = reading.recall(ask, account_id, "flow", after=after if before is None else before.seq)
    return DayEvents(value, before, opening, ended, flows)


def _opening(ask: Ask, account_id: str, after: int) -> str | None:
    """The snapshot of the first planned cycle that was not a dry run."""
    condition = where("seq > :after", kind="cycle_planned", account_id=account_id, after=after)
    for planned in reading.select_events(ask, condition, limit=100):
        start = reading.start_of(ask, planned.cycle_id or "", account_id)
        if start is not None and start.key != DRY_RUN:
            return kept_text(ask, planned.body["snapshot_sha256"])
    return None
