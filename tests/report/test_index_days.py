"""The days of the index: kept from one report to the next, read again when lost, and shown as a calendar."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.report.files import write_edition, write_report
from rebalancer.report.index_days import DaySummary, calendars, days_of, scanned, with_day
from rebalancer.report.page import index_html
from tests.report.html_tree import parse
from tests.report.period.sample import DAY, edition
from tests.report.sample import sample_record

PAGE = "2026/2026-11-20_paper_day.html"
EXPECTED = DaySummary(PAGE, DAY, "paper", pytest.approx(0.0040176454), Decimal("98404.11"), 2, 1)


def day(on: date, mode: str = "paper", change: float | None = 0.01) -> DaySummary:
    return DaySummary(f"{on:%Y}/{on}_{mode}_day.html", on, mode, change, Decimal(100), 0, 0)  # type: ignore[arg-type]  # a mode


def test_a_day_stays_in_the_index(tmp_path: Path) -> None:
    write_edition(edition(), tmp_path)
    write_report(sample_record(), tmp_path)
    stored = json.loads((tmp_path / "index.json").read_text())["days"]
    assert days_of(stored, tmp_path) == scanned(tmp_path) == [EXPECTED]
    tree = parse((tmp_path / "index.html").read_text())
    shown = [e.text for e in tree.all("td") if e.attributes.get("data-figure") == f"return@{DAY}"]
    assert shown == ["+0.40", "+0.40"]  # in the calendar's table and in the list
    assert [a.attributes["href"] for a in tree.all("a")].count(PAGE) == 3


@pytest.mark.parametrize("damage", [None, [{"page": 1}], "nothing"])
def test_lost_days_are_read_from_their_reports(tmp_path: Path, damage: object) -> None:
    write_edition(edition(), tmp_path)
    (tmp_path / PAGE).with_name("2026-11-19_paper_day.json").write_text("half written")
    assert days_of(damage, tmp_path) == [EXPECTED]


def test_a_day_without_its_page_is_gone(tmp_path: Path) -> None:
    write_edition(edition(), tmp_path)
    stored = json.loads((tmp_path / "index.json").read_text())["days"]
    (tmp_path / PAGE).unlink()
    assert days_of(stored, tmp_path) == []


def test_a_report_made_again_replaces_its_day() -> None:
    old, new = day(DAY, change=0.01), day(DAY, change=-0.02)
    other = day(date(2026, 11, 19))
    assert with_day([other, old], new) == [new, other]
    assert with_day([other, old], None) == [old, other]


def test_every_mode_has_a_calendar_of_its_own() -> None:
    found = calendars(with_day([day(date(2026, 11, 19)), day(date(2026, 10, 1), "live")], day(DAY, change=None)))
    assert [(one.mode, one.last.day) for one in found] == [("paper", DAY), ("live", date(2026, 10, 1))]
    html = index_html((), (), 0, (), [day(DAY), day(DAY, "live", -0.01)])
    titles = [f.text for f in parse(html).all("figcaption")]
    assert titles == ["PAPER: return of every day", "LIVE: return of every day"]
    assert "No alert of these days asks for you." in html


def test_alerts_that_stand_are_named_first() -> None:
    html = index_html((), (), 0, (), [day(DAY)._replace(standing=2, alerts=3)])
    (line,) = [li.text for li in parse(html).all("li")]
    assert line == ", PAPER: 2 alerts ask for you✘ 2026-11-20"
