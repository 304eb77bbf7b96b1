"""The end of a day: leftovers are cancelled, the journal is checked against the broker, and people are notified.

The steps run in the order of `Steps`; each is a small function passed in from outside. A day is closed once: what was
done is recorded in the journal under its date, and a second call finds the record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import BrokerOrder, TradingBroker
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.new_york import day_in_new_york
from rebalancer.execution.await_final import await_final
from rebalancer.journal import Journal
from rebalancer.journal.place import Place
from rebalancer.journal.read_only import exists
from rebalancer.market_data.trading_calendar import TradingDay
from rebalancer.ops.clock import Clock
from rebalancer.planning.build_order import ID_PREFIX

LOG: Final = logging.getLogger(__name__)
KIND: Final = "end_of_day"
EXIT_PAIR: Final = "oco"  # stop and target of a position: they stay overnight
SLOTS_AT_MOST: Final = 500  # more than the slots of any day plus the runs by hand on it


class Steps(NamedTuple):
    """The steps, in this order. `cancel` may raise BrokerUnavailable and is then called again later; `check` returns
    the differences that it found, in sentences; `report` returns the path of the day's page; `tell` sends the day's
    message."""

    cancel: Callable[[], int]
    check: Callable[[date], tuple[str, ...]] | None
    report: Callable[[date], str]
    tell: Callable[[date, str], None]


def close_day(
    journal: Journal, account_id: str, day: TradingDay, slot_counts: Mapping[str, int], steps: Steps, at: datetime
) -> bool:
    """Run the steps for a day that is not closed yet. False when it was closed already. Raises BrokerUnavailable before
    anything is written."""
    if is_closed(journal, account_id, day.day):
        return False
    cancelled = steps.cancel()
    found = steps.check(day.day) if steps.check is not None else None
    page = steps.report(day.day)
    text = _sentence(day, slot_counts, cancelled, found)
    steps.tell(day.day, text)
    body = {"slots": dict(slot_counts), "cancelled": cancelled, "found": list(found or ()), "page": page, "text": text}
    journal.record_event(account_id, None, at, KIND, day.day.isoformat(), body)
    LOG.info("%s", text)
    return True


def is_closed(journal: Journal, account_id: str, day: date) -> bool:
    """Whether the end-of-day work of a day has been done."""
    return any(event.key == day.isoformat() for event in journal.newest_of_each(KIND, account_id))


def is_unfinished(place: Place, day: date, *, begun: bool) -> bool:
    """Whether no session has closed this day, according to the journal, if there is one. begun: only a day on
    which a session has run a slot counts."""
    if not exists(place):
        return not begun
    with Journal.open(place, create=False) as journal:
        latest = journal.latest_events(1)
        if not latest:
            return not begun
        account_id = latest[0].account_id
        if is_closed(journal, account_id, day):
            return False
        return not begun or any(_is_slot_of(c.cycle_id, day) for c in journal.cycles(account_id, SLOTS_AT_MOST))


def _is_slot_of(cycle_id: str, day: date) -> bool:
    """The id of a slot is its minute; the id of a run by hand is its second."""
    try:
        moment = datetime.strptime(cycle_id, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return day_in_new_york(moment) == day


def cancel_leftovers(broker: TradingBroker, clock: Clock, timeout_seconds: float) -> int:
    """Cancel every open order of ours that does not protect a position, and wait until each has ended; returns their
    number. Raises BrokerUnavailable, also when one has not ended in time."""
    asked = leftovers(broker)
    for order in asked:
        broker.cancel(order.id)
    left = await_final(lambda: leftovers(broker), clock, clock.monotonic() + timeout_seconds) if asked else ()
    if left:
        names = ", ".join(order.client_order_id for order in left)
        raise BrokerUnavailable(f"cancelled and not ended yet: {names}")
    return len(asked)


def leftovers(broker: TradingBroker) -> tuple[BrokerOrder, ...]:
    """Our open orders, without those that protect a position."""
    return tuple(
        order
        for order in broker.orders(None)
        if order.client_order_id.startswith(ID_PREFIX) and order.order_class != EXIT_PAIR and not order.state.is_final
    )


def _sentence(day: TradingDay, slot_counts: Mapping[str, int], cancelled: int, found: tuple[str, ...] | None) -> str:
    slots, total = ", ".join(f"{count} {word}" for word, count in slot_counts.items()), sum(slot_counts.values())
    said = f"{day.day}: {total} slot{'s' * (total != 1)} ({slots})" if total else f"{day.day}: no slot was due"
    if cancelled:
        said += f"; {cancelled} open orders cancelled"
    if found is None:
        return said
    return f"{said}; {'; '.join(found)}" if found else f"{said}; the books agree with the broker"
