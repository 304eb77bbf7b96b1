"""The pages that are looked at, as files: every kind of page, from the samples of the report's own tests."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.report.index_days import DaySummary
from rebalancer.report.page import html_of, index_html
from rebalancer.report.period.page import edition_pages
from rebalancer.report.period.records import PeriodReport
from rebalancer.report.records import RunSummary
from rebalancer.report.summary import summary_of
from tests.report.period.sample import edition, performance, slots
from tests.report.period.test_edition_page import bare, wide
from tests.report.sample import dry, sample_record

D = Decimal
MONTH = date(2026, 11, 1)
MODES = ("paper", "live", "simulated", "dry_run")


def month() -> PeriodReport:
    """Twenty-one whole days of slots and orders, some slots missed."""
    day = edition()
    found = [s._replace(at=s.at - timedelta(days=n)) for n in range(21) for s in slots()]
    late = [s._replace(outcome=CycleOutcome.MISSED, because="the host slept") for s in found[:60]]
    return day._replace(
        period="month",
        first=MONTH,
        mode="live",
        slots=(*late, *found[60:]),
        trades=day.trades * 21,
        trips=day.trips * 40,
        through_the_day=(),
    )


def rich() -> PeriodReport:
    """An account of hundreds of millions: the longest numbers that a page has to hold."""
    many = D(1234)
    day = edition(equity=D("121439456.78"), equity_before=D("120339456.78"), peak_equity=D("124889012.34"))
    lines = [
        t._replace(line=t.line._replace(planned_qty=t.line.planned_qty * many, filled_qty=t.line.filled_qty * many))
        for t in day.trades
    ]
    return day._replace(
        cash=D("38284567.89"), capital=D("242878913.56"), flows=D("-1500000.00"), trades=tuple(lines),
        guarded=tuple(g._replace(qty=g.qty * many) for g in day.guarded),
        trips=tuple(t._replace(qty=t.qty * many, gross=t.gross * many, fees=t.fees * many) for t in day.trips),
    )  # fmt: skip


def history(days: int) -> PeriodReport:
    """A day after so many days of history."""
    return edition(performance=performance(days))


def index(runs: int, editions: int) -> str:
    """A list of runs of every mode and of editions, with an unreadable file and older pages."""
    plain = summary_of(sample_record(), "")
    listed: list[RunSummary] = []
    for n in range(runs):
        at, mode = plain.started_at - timedelta(minutes=5 * n), MODES[n % 4]
        page = f"{at:%Y}/{at:%Y-%m-%d_%H%M}_{mode}_{at:%Y%m%dT%H%MZ}.html"
        listed.append(plain._replace(page=page, started_at=at, mode=mode, turnover=D("43295.89") * n, needs=n % 3))  # type: ignore[arg-type]  # the modes are the four there are
    pages = [
        f"{day:%Y}/{day}_paper_day.html" for day in (date(2026, 11, 20) - timedelta(days=n) for n in range(editions))
    ]
    return index_html(listed, ["2026/broken.html"], 3, [*pages, "2026/2026-11_paper_month.html"], days(editions))


def days(count: int) -> list[DaySummary]:
    """So many weekdays of a paper account, newest first, some with alerts, and two of a live one."""
    found, day = [], date(2026, 11, 20)
    while len(found) < count:
        if day.weekday() < 5:
            number = len(found)
            change = None if number == 7 else math.sin(number * 1.7) / 60
            page = f"{day:%Y}/{day}_paper_day.html"
            equity = D(98404) + round(D(900 * math.sin(number / 9)), 2)
            found.append(DaySummary(page, day, "paper", change, equity, number % 4, int(number % 17 == 3)))
        day -= timedelta(days=1)
    live = [one._replace(mode="live", page=one.page.replace("paper", "live")) for one in found[:2]]
    return [*found, *live]


PAGES = {
    "cycle": lambda: html_of(sample_record()),
    "dry_run": lambda: html_of(dry(sample_record())),
    "day": lambda: edition_pages(edition()).page,
    "data": lambda: edition_pages(edition()).data,
    "month": lambda: edition_pages(month()).page,
    "bare": lambda: edition_pages(bare()).page,
    "wide": lambda: edition_pages(wide()).page,
    "rich": lambda: edition_pages(rich()).page,
    "index": lambda: index(12, 5),
    "full_index": lambda: index(500, 400),
}


def write_page(name: str, folder: Path) -> Path:
    """Write one page into a folder."""
    path = folder / f"{name}.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    return path
