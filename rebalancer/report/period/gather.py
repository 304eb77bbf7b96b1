"""Gather an edition from the journal: all that is known of a day, a week, a month or longer.

No request is made to the broker. `parts/` has one function for each part; a part that cannot be read is named in the
edition and left out of it, so that there is always a page.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial

from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import Journal
from rebalancer.report.period.parts.happenings import on_this_machine
from rebalancer.report.period.parts.money import Money, money
from rebalancer.report.period.parts.parts import PARTS
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import Period, PeriodReport
from rebalancer.report.records import Mode
from rebalancer.version import __version__


def period_report_of(
    journal: Journal, account_id: str, mode: Mode, rules: Rules, period: Period, day: date, made_at: datetime
) -> PeriodReport:
    """The edition of the period that contains `day`, as far as the journal knows it at `made_at`."""
    source = Source(journal, account_id, rules, period, day, made_at)
    latest = source.latest
    worth = source.attempt("the account", lambda: money(source), Money())
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
        peak_equity=None,
        cash=worth.cash,
        capital=None if latest is None else latest.plan.capital,
        flows=sum((books.flows for books in source.books), ZERO),
        latest=latest,
    )
    filled = {
        field: source.attempt(part.words, partial(part.read, source), part.absent) for field, part in PARTS.items()
    }
    here = on_this_machine(filled["next_run"])
    return edition._replace(**filled, next_run_here=here, broken=tuple(dict.fromkeys(source.broken)))
