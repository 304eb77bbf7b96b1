"""Gather an edition from the journal: all that is known of a day, a week, a month or longer.

No request is made to the broker. `parts/` has one function for each part; a part that cannot be read is named in the
edition and left out of it, so that there is always a page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.report.period.parts import effort, execution, happenings, holdings, money, parity, results, risk, trades
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import Period, PeriodReport
from rebalancer.report.records import Mode
from rebalancer.version import __version__


class Part(NamedTuple):
    """One field: its display name, its source, and the value used when it cannot be read."""

    words: str
    read: Callable[[Source], Any]
    absent: Any = ()


PARTS: Final[dict[str, Part]] = {
    "slots": Part("the slots", happenings.slots),
    "trades": Part("the trades", trades.trades),
    "counts": Part("the counts", trades.counts, None),
    "days": Part("the days", trades.days),
    "idle": Part("what was not traded", happenings.idle),
    "alarms": Part("the alerts", happenings.alarms),
    "is_followed": Part("the next cycles", happenings.is_followed, False),
    "next_run": Part("the next cycle", happenings.next_run, None),
    "books": Part("the closed books", money.closed_books),
    "parity": Part("the parity", parity.measured),
    "bridge": Part("the bridge", money.bridge, None),
    "contributions": Part("the contributions", money.contributions),
    "performance": Part("the performance", results.performance, None),
    "through_the_day": Part("the course of the day", results.through_the_day),
    "book": Part("the book by day", holdings.book_by_day),
    "sessions": Part("the hours of the market", happenings.sessions),
    "counted_from": Part("the first reading", money.counted_from, None),
    "trips": Part("the round trips", results.trips),
    "quality": Part("the execution by symbol", execution.quality_by_symbol),
    "quality_by_hour": Part("the execution by hour", execution.quality_by_hour),
    "execution": Part("the execution", lambda s: None if s.summary is None else s.summary.execution, None),
    "gaps": Part("the drift ledger", execution.gaps),
    "guarded": Part("the protection of positions", holdings.guarded),
    "risk": Part("the risk of the book", risk.risk, None),
    "effort": Part("where the time went", effort.effort, None),
    "operations": Part("the operations", effort.operations, None),
    "operations_before": Part("the operations before", effort.operations_before, None),
    "rules_changed": Part("the change of rules", happenings.rules_changed, {}),
}


def period_report_of(
    journal: Journal, account_id: str, mode: Mode, rules: Rules, period: Period, day: date, made_at: datetime
) -> PeriodReport:
    """The edition of the period that contains `day`, as far as the journal knows it at `made_at`."""
    source = Source(journal, account_id, rules, period, day, made_at)
    latest = source.latest
    worth = source.attempt("the account", lambda: money.money(source), money.Money())
    edition = PeriodReport(
        period=period,
        first=source.span.first,
        last=source.span.last,
        mode=mode,
        account_id=account_id,
        version=__version__,
        made_at=made_at,
        equity=worth.equity,
        equity_before=worth.before,
        peak_equity=worth.mark,
        cash=worth.cash,
        capital=None if latest is None else latest.plan.capital,
        flows=worth.flows,
        latest=latest,
        window=source.window,
        summary=source.attempt("the performance", lambda: source.summary, None),
        whole=source.attempt("the performance", lambda: source.whole, None),
    )
    filled = {
        field: source.attempt(part.words, partial(part.read, source), part.absent) for field, part in PARTS.items()
    }
    here = happenings.on_this_machine(filled["next_run"])
    return edition._replace(**filled, next_run_here=here, broken=tuple(dict.fromkeys(source.broken)))
