"""File names of editions, built only from parsed dates.

2026/2026-11-20_paper_day.html    2026/2026-W47_paper_week.html    2026/2026-11_paper_month.html
"""

from __future__ import annotations

import re
from typing import Final

from rebalancer.report.period.records import PeriodReport

EDITION_NAME: Final = re.compile(
    r"\d{4}(?:-\d\d-\d\d|-W\d\d|-\d\d)?_(?:simulated|paper|live|dry_run)_(?:day|week|month|year|all)", re.ASCII
)


def edition_name(edition: PeriodReport) -> str:
    """The file name of an edition without its extension."""
    iso = edition.first.isocalendar()
    when = {
        "day": edition.first.isoformat(),
        "week": f"{iso.year:04d}-W{iso.week:02d}",
        "month": f"{edition.first:%Y-%m}",
        "year": f"{edition.first:%Y}",
        "all": f"{edition.last:%Y}",
    }[edition.period]
    name = f"{when}_{edition.mode}_{edition.period}"
    if EDITION_NAME.fullmatch(name) is None:
        raise ValueError(f"{edition.mode!r} is not a mode or {edition.period!r} no period")
    return name


def data_name(edition: PeriodReport) -> str:
    """The name of the page that has the tables for which the edition's page has no room."""
    return f"{edition_name(edition)}_data"


def edition_year(edition: PeriodReport) -> str:
    """The folder of an edition: the year of its first day, four digits."""
    return f"{edition.first.year:04d}"
