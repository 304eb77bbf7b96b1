"""At which bars a cycle runs: at every one, where something new was said, or at the slots of `execution.schedule`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.rules import Rules
from rebalancer.core.schedule import Schedule
from rebalancer.market_data.trading_calendar import CALENDAR_AHEAD, CALENDAR_BACK, published_hours, scheduled_day
from rebalancer.research.alignment import availability
from rebalancer.research.bar_times import nanoseconds
from rebalancer.research.market import Flags, Market

Rebalance = Literal["every_bar", "on_targets"]
NEAR: Final = timedelta(days=40)  # how far a month or week reaches around a day


def cycles_of(market: Market, rules: Rules, rebalance: Rebalance, changed: Flags) -> Flags:
    """Whether a cycle runs at each bar. changed: where something new begins to count.

    A schedule with a time of day runs at the first bar at or after it; `every 5m` and `drift` run at every bar.
    """
    found = np.ones(len(market.times), dtype=bool)
    timing = rules.execution.timing
    if timing.minutes is None:
        found &= _slots(market, timing)
    return found & changed if rebalance == "on_targets" else found


def _slots(market: Market, timing: Schedule) -> Flags:
    found = np.zeros(len(market.times), dtype=bool)
    days = [date.fromordinal(int(day)) for day in np.unique(market.day)]
    calendar = published_hours(days[0] - CALENDAR_BACK, days[-1] + CALENDAR_AHEAD)
    months: Mapping[tuple[int, int], list[TradingHours]] = defaultdict(list)
    for hours in calendar:
        months[hours.day.year, hours.day.month].append(hours)
    for day in days:
        for slot in scheduled_day(day, _around(day, months), timing, around_the_clock=False).slots:
            bar = int(availability(market, np.array([nanoseconds(slot.at)], dtype=np.int64))[0])
            if bar < len(market.times) and int(market.day[bar]) == day.toordinal():
                found[bar] = True
    return found


def _around(day: date, months: Mapping[tuple[int, int], list[TradingHours]]) -> Sequence[TradingHours]:
    """The sessions of the month of a day, and of those beside it."""
    keys = sorted({((day + step).year, (day + step).month) for step in (-NEAR, timedelta(0), NEAR)})
    return [hours for key in keys for hours in months.get(key, ())]
