"""The days of the index: their return, equity and alerts, kept in `index.json` and read again from the reports of days
when it is missing or damaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.core.codec import BadDocument
from rebalancer.core.input_file import read_json_file
from rebalancer.core.values import decimal_of
from rebalancer.report.charting.grids import heat_chart
from rebalancer.report.charting.lines import sparkline
from rebalancer.report.charting.records import Charted
from rebalancer.report.period.names import edition_name, edition_year
from rebalancer.report.period.records import PeriodReport
from rebalancer.report.records import Mode
from rebalancer.report.words import MODE_NAME

if TYPE_CHECKING:
    from pydantic import TypeAdapter

DAYS_MAX: Final = 400
REPORT_SIZE_MAX: Final = 16 * 1024 * 1024
MONTHS_SHOWN: Final = 12
DAYS_OF_MONTH: Final = tuple(str(day) for day in range(1, 32))


class DaySummary(NamedTuple):
    """One day: its page below the report folder, its return and its equity at the end (None: not known), how many
    alerts it had, and how many of them ask for a person and stand."""

    page: str
    day: date
    mode: Mode
    change: float | None
    equity: Decimal | None
    alerts: int
    standing: int


class Calendar(NamedTuple):
    """The days of one mode: the name of its chart, what it is called, the chart, and a small line of the equity."""

    name: str
    mode: Mode
    chart: Charted
    spark: str
    last: DaySummary


def day_summary(edition: PeriodReport, figures: Mapping[str, Any]) -> DaySummary:
    """The line of a day's report. figures: those of its document."""
    page = f"{edition_year(edition)}/{edition_name(edition)}.html"
    day = edition.first.isoformat()
    levels = [(alarm.level, bool(alarm.resolved)) for alarm in edition.alarms]
    return _summary(page, day, edition.mode, figures, levels)


def days_of(rows: object, base: Path) -> list[DaySummary]:
    """The days of an `index.json`, without those whose page is gone; from the reports when it has none."""
    from pydantic import ValidationError

    try:
        found = _adapter().validate_python(rows)
    except ValidationError:
        return scanned(base)
    return [one for one in found if (base / one.page).is_file() and one.page.count("/") == 1]


def scanned(base: Path) -> list[DaySummary]:
    """The newest reports of days in the folder."""
    pages = sorted(base.glob("[0-9][0-9][0-9][0-9]/????-??-??_*_day.json"), reverse=True)[:DAYS_MAX]
    found = []
    for path in pages:
        try:
            document = read_json_file(path, REPORT_SIZE_MAX)
            levels = [(str(alarm["level"]), bool(alarm["resolved"])) for alarm in document["alarms"]]
            page = f"{path.parent.name}/{path.stem}.html"
            found.append(_summary(page, str(document["first"]), document["mode"], document["figures"], levels))
        except (BadDocument, KeyError, TypeError, ValueError):
            continue
    return found


def with_day(days: Sequence[DaySummary], more: DaySummary | None) -> list[DaySummary]:
    """The days with one more, newest first; a report of the same day and mode replaces the older one."""
    found = [*days] if more is None else [more, *(one for one in days if one.page != more.page)]
    return sorted(found, key=lambda one: (one.day, one.page), reverse=True)[:DAYS_MAX]


def calendars(days: Sequence[DaySummary]) -> tuple[Calendar, ...]:
    """The days of each mode as a calendar coloured by return, the mode with the newest day first."""
    modes = dict.fromkeys(one.mode for one in days)
    return tuple(_calendar(mode, [one for one in days if one.mode == mode]) for mode in modes)


def _calendar(mode: Mode, days: Sequence[DaySummary]) -> Calendar:
    months = sorted({(one.day.year, one.day.month) for one in days})[-MONTHS_SHOWN:]
    by_day = {(one.day.year, one.day.month, one.day.day): one for one in days}
    rows = [[by_day.get((year, month, int(day))) for day in DAYS_OF_MONTH] for year, month in months]
    chart = heat_chart(
        f"{MODE_NAME[mode]}: return of every day",
        [f"{year}-{month:02d}" for year, month in months],
        DAYS_OF_MONTH,
        [[None if one is None else one.change for one in row] for row in rows],
        "percent_signed",
        head="Month",
        figures=[["" if one is None else f"return@{one.day}" for one in row] for row in rows],
    )
    equity = [None if one.equity is None else float(one.equity) for one in reversed(days)]
    return Calendar(f"calendar-{mode}", mode, chart, sparkline(equity), days[0])


def _summary(
    page: str, day: str, mode: Mode, figures: Mapping[str, Any], levels: Sequence[tuple[str, bool]]
) -> DaySummary:
    change, equity = (figures.get(f"{name}@{day}", {}).get("value") for name in ("return", "equity"))
    return DaySummary(
        page,
        date.fromisoformat(day),
        mode,
        None if change is None else float(change),
        None if equity is None else decimal_of(str(equity)),
        sum(level != "info" for level, _ in levels),
        sum(level == "action" and not resolved for level, resolved in levels),
    )


@cache
def _adapter() -> TypeAdapter[list[DaySummary]]:
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(list[DaySummary], config=ConfigDict(extra="forbid", allow_inf_nan=False))
