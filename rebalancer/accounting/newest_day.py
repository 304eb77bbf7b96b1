"""The account's newest value, the high-water mark and the return of its day, from a few events: for `status`.

The same rules as in the whole history (`daily_values`, `mark_readings`), so that `status` shows what the report shows.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.accounting.daily_values import Reading, values_of
from rebalancer.accounting.mark_readings import mark_now
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import ZERO, decimal_of, utc_of
from rebalancer.journal.bodies import peak_of
from rebalancer.journal.day_events import DayEvents
from rebalancer.journal.records import Event
from rebalancer.performance.day_return import day_return
from rebalancer.performance.records import CashEvent


class NewestDay(NamedTuple):
    """USD; None is "not known". `change` is the time-weighted return since `since`, the last value of an earlier day or
    the first of all; `from_close`: that value is of closed books."""

    day: date
    equity: Decimal
    cash: Decimal | None
    mark: Decimal | None
    change: float | None
    since: datetime | None = None
    from_close: bool = False


def newest_day(events: DayEvents) -> NewestDay | None:
    """None when no value of the account is recorded."""
    now = _reading(events.value)
    if now is None:
        return None
    peak = None if events.ended is None else peak_of(events.ended)
    after = 0 if events.ended is None else events.ended.seq
    flows = [flow for flow in events.flows if flow.seq > after and flow.at <= now.at]
    mark = mark_now(now.equity, peak, flows)
    before = day_began(events)
    closed = events.before is not None and events.before.kind == "day_closed"
    return NewestDay(
        now.day, now.equity, now.cash, mark, _change(events, now), None if before is None else before[0], closed
    )


def _change(events: DayEvents, now: Reading) -> float | None:
    before = day_began(events)
    if before is None:
        return None
    begins, equity = before
    cash = [
        CashEvent(flow.key or "", utc_of(str(flow.body["moment"])), "flow", decimal_of(flow.body["amount"]))
        for flow in events.flows
    ]
    (value,) = values_of(begins, [now], cash, ())
    return day_return(equity, value)


def day_began(events: DayEvents) -> tuple[datetime, Decimal] | None:
    """The moment and the equity with which the day begins."""
    earlier = _reading(events.before)
    if earlier is not None:
        return earlier.at, earlier.equity
    if events.opening is None:
        return None
    first = json.loads(events.opening)
    return utc_of(first["as_of"]), decimal_of(first["account"]["equity"])


def _reading(event: Event | None) -> Reading | None:
    if event is None:
        return None
    closed = "closing_" if event.kind == "day_closed" else ""
    equity, cash = event.body.get(f"{closed}equity"), event.body.get(f"{closed}cash")
    if equity is None:
        return None
    day = date.fromisoformat(str(event.body["day"])) if closed else day_in_new_york(event.at)
    return Reading(event.at, day, decimal_of(str(equity)), ZERO if cash is None else decimal_of(str(cash)))
