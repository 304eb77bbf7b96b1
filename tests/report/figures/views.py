"""Every view of an account, each as what it shows by the id of the figure."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rebalancer.cli.export import export_table
from rebalancer.cli.performance import show_performance
from rebalancer.cli.status_of_state import status_of
from rebalancer.report.archive import past_record
from rebalancer.report.document import json_of
from rebalancer.report.figures.figure import FORMS, Form
from rebalancer.report.page import html_of, index_html
from rebalancer.report.period.document import edition_json
from rebalancer.report.period.mail import edition_mail
from rebalancer.report.period.page import edition_html, redacted
from rebalancer.report.period.records import Period, PeriodReport
from rebalancer.report.summary import summary_of
from tests.report.figures.month import Month, trading_days
from tests.report.html_tree import parse

Shown = Mapping[str, str]  # the text of each figure, without its unit
_UNITS = re.compile(r"[$,▲▼✔✘×% \u00a0]|bp|pp")
DAILY: dict[str, tuple[str, Form]] = {
    "equity": ("equity", "usd"),
    "cash": ("cash", "usd"),
    "daily_return": ("return", "percent_signed"),
    "drawdown": ("worst_drawdown", "percent"),
}


def bare(text: str) -> str:
    """A number as it is shown, without its unit, its separators and its arrow."""
    return _UNITS.sub("", re.sub(r"(?<=\d) (?:s|ms|d)$", "", text))


def of_page(html: str) -> dict[str, str]:
    """The figures of a page or a mail. A figure that stands twice in it says the same."""
    found: dict[str, str] = {}
    for element in parse(html).all():
        name = element.attributes.get("data-figure")
        if name is not None:
            text = bare(element.text)
            assert found.setdefault(name, text) == text, (name, found[name], text)
    return found


def of_document(text: str) -> dict[str, str]:
    """The figures of a JSON document; their texts say their values."""
    found = json.loads(text).get("figures", {})
    for name, figure in found.items():
        forms = [form for form, shape in FORMS.items() if shape.unit == figure["unit"]]
        value = figure["value"]
        number = Decimal(value) if isinstance(value, str) else value
        assert figure["text"] in {FORMS[form].text(number) for form in forms}, (name, figure)
    return {name: bare(figure["text"]) for name, figure in found.items()}


def reports(month: Month) -> Iterator[tuple[str, PeriodReport]]:
    """The reports of every day and week, of the month, the year and of everything."""
    days = trading_days()
    weeks = sorted({day.isocalendar()[:2]: day for day in days}.values())
    wanted: list[tuple[Period, date]] = [("day", day) for day in days]
    wanted += [("week", day) for day in weeks]
    wanted += [("month", days[-1]), ("year", days[-1]), ("all", days[-1])]
    for period, day in wanted:
        yield f"{period} of {day}", month.report(period, day)


def of_report(name: str, report: PeriodReport) -> Iterator[tuple[str, Shown]]:
    """Page, JSON, the JSON inside the page, and mail."""
    html = edition_html(report)
    yield f"{name}: page", of_page(html)
    yield f"{name}: JSON", of_document(edition_json(redacted(report)))
    yield f"{name}: JSON in the page", of_document(next(parse(html).all("script")).own_text)
    yield f"{name}: mail", of_page(edition_mail(report).html)


def of_cycles(month: Month) -> Iterator[tuple[str, Shown]]:
    """The pages and documents of single cycles, as `report` makes them anew."""
    for cycle in month.journal.cycles(month.account_id, 1000):
        record = past_record(month.journal, cycle.cycle_id)
        if record is not None:
            yield f"cycle {cycle.cycle_id}: page", of_page(html_of(record))
            yield f"cycle {cycle.cycle_id}: JSON", of_document(json_of(record))


def of_index(month: Month) -> Iterator[tuple[str, Shown]]:
    """The list of runs."""
    found = [past_record(month.journal, c.cycle_id) for c in month.journal.cycles(month.account_id, 1000)]
    runs = [summary_of(record, f"2026/{n}.html") for n, record in enumerate(r for r in found if r is not None)]
    yield "index", of_page(index_html(runs, (), 0))


def said(run: Any, *args: Any, **named: Any) -> str:
    """What a command prints, in the month's folder."""
    out, before = io.StringIO(), os.getcwd()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert run(*args, **named) == 0
    assert os.getcwd() == before
    return out.getvalue()


def of_performance(month: Month) -> Iterator[tuple[str, Shown]]:
    """`performance --json` over several windows, and the same on the screen."""
    for days in (None, 30, 7, 1):
        text = said(show_performance, None, days=days, as_json=True, colour=False, state=month.folder)
        shown = of_document(text)
        yield f"performance --days {days}: JSON", shown
        screen = said(show_performance, None, days=days, as_json=False, colour=False, state=month.folder)
        yield f"performance --days {days}: screen", on_screen(screen, shown)


ON_SCREEN = {  # label: name of the figure
    "equity": "equity", "opening": "opening", "profit, without flows": "profit", "deposits less withdrawals": "flows",
    "ROI": "roi", "time-weighted (daily)": "return", "money-weighted (IRR)": "money_weighted", "below high-water mark":
    "below_mark", "lowest below the mark": "worst_drawdown", "win rate": "trips.win_rate", "average win":
    "trips.average_win", "average loss": "trips.average_loss", "fees": "fees", "slippage, a cost is +": "slippage",
    "dividends": "dividends", "interest": "interest", "turnover of equity": "turnover", "exposure, net": "net_exposure",
    "its mean by day": "exposure_mean", "fills": "fills", "fills by hand": "fills_by_hand", "average holding time":
    "trips.held_seconds", "profit factor": "trips.profit_factor",
}  # fmt: skip


def on_screen(screen: str, known: Shown) -> dict[str, str]:
    """The figures of the pairs at the top of the screen, by their labels."""
    names = {name.partition("@")[0]: name for name in known}
    found = {}
    for line in screen.splitlines():
        if line.startswith("Profit and loss"):
            break
        if not line.startswith("  ") or len(line) < 43:
            continue
        for label, value in ((line[2:24], line[24:39]), (line[42:67], line[67:])):
            name = ON_SCREEN.get(label.strip())
            if name is not None and "needs" not in value:
                found[names[name]] = bare(value.strip())
    return found


def exported(month: Month, what: str) -> Any:
    """The JSON of an export, written to a file of the current folder."""
    path = Path("export.json")
    said(export_table, what, None, form="json", since=None, to=path, state=month.folder)
    return json.loads(path.read_text())


def of_exports(month: Month) -> Iterator[tuple[str, Shown]]:
    """The daily rows of `export performance`."""
    shown: dict[str, str] = {}
    for row in exported(month, "performance")["rows"]:
        for column, (name, form) in DAILY.items():
            value = row[column]
            number = Decimal(value) if isinstance(value, str) else value
            shown[f"{name}@{row['day']}"] = bare(FORMS[form].text(number))
    yield "export performance", shown


def of_status(month: Month) -> Iterator[tuple[str, Shown]]:
    """`status`, as JSON and as a screen."""
    text = said(status_of, month.folder, as_json=True, colour=False)
    shown = of_document(text)
    yield "status: JSON", shown
    line = next(x for x in said(status_of, month.folder, as_json=False, colour=False).splitlines() if "drawdown" in x)
    parts = re.fullmatch(r"equity +(\S+) +today (.*?)   drawdown (.*?)   cash (.*)", line)
    assert parts is not None, line
    names = {name.partition("@")[0]: name for name in shown}
    texts = zip(("equity", "return", "below_mark", "cash_share"), parts.groups(), strict=True)
    yield "status: screen", {names[name]: bare(value) for name, value in texts}


def all_views(month: Month, folder: Path) -> Iterator[tuple[str, Shown]]:
    """Every view with its name. folder: the current one, an empty project."""
    assert Path.cwd() == folder
    for name, report in reports(month):
        yield from of_report(name, report)
    yield from of_cycles(month)
    yield from of_index(month)
    yield from of_performance(month)
    yield from of_exports(month)
    yield from of_status(month)


def differences(views: Sequence[tuple[str, Shown]]) -> tuple[dict[str, dict[str, list[str]]], int, int]:
    """Per id that is shown differently: the views of each text. And how many ids stand in two or more views, and how
    many comparisons that makes."""
    by_id: dict[str, dict[str, list[str]]] = {}
    for view, shown in views:
        for name, text in shown.items():
            by_id.setdefault(name, {}).setdefault(text, []).append(view)
    counts = [sum(map(len, texts.values())) for texts in by_id.values()]
    shared = [count for count in counts if count > 1]
    wrong = {name: texts for name, texts in by_id.items() if len(texts) > 1}
    return wrong, len(shared), sum(count - 1 for count in shared)
