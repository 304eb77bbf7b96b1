"""The account's value at the end of each day, with deposits and withdrawals, from closed books or readings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.accounting.day_books import day_of_body
from rebalancer.core.new_york import NEW_YORK, day_in_new_york
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal.records import Event
from rebalancer.performance.records import CashEvent, DayValue, ShareEvent

OPEN, CLOSE = time(9, 30), time(16)
_SECONDS: Final = Decimal(6 * 3600 + 1800)


class Reading(NamedTuple):
    """The equity at one moment and the cash in it, USD."""

    at: datetime
    day: date
    equity: Decimal
    cash: Decimal


def readings_of(closed: Iterable[Event], accounts: Iterable[Event]) -> tuple[Reading, ...]:
    """One reading per day: the closed books if there are any, else the day's last recorded account value."""
    found: dict[date, Reading] = {}
    for event in accounts:
        day = day_in_new_york(event.at)
        found[day] = Reading(event.at, day, decimal_of(event.body["equity"]), decimal_of(event.body["cash"]))
    for event in closed:
        books = day_of_body(event.body)
        found[books.day] = Reading(books.closed_at, books.day, books.closing_equity, books.closing_cash)
    return tuple(sorted(found.values()))


def values_of(
    begun_at: datetime, readings: Sequence[Reading], cash: Iterable[CashEvent], shares: Iterable[ShareEvent]
) -> tuple[DayValue, ...]:
    """The days with their flows. A flow belongs to the first reading at or after it; flows after the last reading are
    not counted yet."""
    flows = [(event.at, event.amount) for event in cash if event.kind == "flow"]
    flows += [(event.at, event.qty * event.price) for event in shares if event.kind == "in_kind"]
    found, before = list[DayValue](), begun_at
    for reading in readings:
        own = [(at, amount) for at, amount in flows if before < at <= reading.at]
        weighted = sum((amount * share_left(at, reading.day) for at, amount in own), ZERO)
        paid = sum((amount for _, amount in own), ZERO)
        found.append(DayValue(reading.day, reading.equity, paid, weighted, reading.cash))
        before = reading.at
    return tuple(found)


def share_left(at: datetime, day: date) -> Decimal:
    """The fraction of a day's core session remaining at a moment: 1 up to 09:30 in New York, 0 from 16:00 on."""
    opens, closes = (datetime.combine(day, t, NEW_YORK) for t in (OPEN, CLOSE))
    if at <= opens:
        return Decimal(1)
    return Decimal(0) if at >= closes else Decimal(str((closes - at).total_seconds())) / _SECONDS
