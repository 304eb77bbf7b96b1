"""The list of the parts: which field of the edition each fills, and its name when it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from rebalancer.report.period.parts import configuration, effort, execution, happenings, holdings, money, results, risk
from rebalancer.report.period.parts.source import Source


class Part(NamedTuple):
    """One field: its display name, its source, and the value used when it cannot be read."""

    words: str
    read: Callable[[Source], Any]
    absent: Any = ()


PARTS: Final[dict[str, Part]] = {
    "slots": Part("the slots", happenings.slots),
    "trades": Part("the trades", happenings.trades),
    "idle": Part("what was not traded", happenings.idle),
    "alarms": Part("the alerts", happenings.alarms),
    "next_run": Part("the next cycle", happenings.next_run, None),
    "peak_equity": Part("the high-water mark", lambda s: s.journal.peak_equity(s.account_id), None),
    "books": Part("the closed books", money.closed_books),
    "bridge": Part("the bridge", money.bridge, None),
    "contributions": Part("the contributions", money.contributions),
    "performance": Part("the performance", results.performance, None),
    "through_the_day": Part("the course of the day", results.through_the_day),
    "trips": Part("the round trips", results.trips),
    "quality": Part("the execution by symbol", execution.quality_by_symbol),
    "quality_by_hour": Part("the execution by hour", execution.quality_by_hour),
    "gaps": Part("the drift ledger", execution.gaps),
    "guarded": Part("the protection of positions", holdings.guarded),
    "risk": Part("the risk of the book", risk.risk, None),
    "effort": Part("where the time went", effort.effort, None),
    "rules_changed": Part("the change of rules", configuration.rules_changed, {}),
}
