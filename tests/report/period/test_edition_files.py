"""Editions on disk: written beside the runs, listed, and kept for as long as the rules say."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from rebalancer.report.files import ReportNotWritten, remove_outdated, write_edition, write_report
from tests.report.html_tree import parse
from tests.report.period.sample import edition
from tests.report.sample import sample_record


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_edition_stands_beside_the_runs_and_in_the_index(tmp_path: Path) -> None:
    write_report(sample_record(), tmp_path)
    written = write_edition(edition(), tmp_path)
    assert written.html_path == tmp_path / "2026" / "2026-11-20_paper_day.html"
    assert names(tmp_path) == [
        "2026/2026-11-20_1035_paper_20261120T1535Z.html",
        "2026/2026-11-20_1035_paper_20261120T1535Z.json",
        "2026/2026-11-20_paper_day.html",
        "2026/2026-11-20_paper_day.json",
        "2026/2026-11-20_paper_day_data.html",
        "index.html",
        "index.json",
        "latest.html",
    ]
    slots = [s for s in edition().slots if s.page]
    for path, folder in ((written.html_path, ""), (tmp_path / "latest.html", "2026/")):
        linked = [a.attributes["href"] for a in parse(path.read_text()).all("a") if a.attributes["href"] != "#trades"]
        data = folder + "2026-11-20_paper_day_data.html#plot-"
        assert [link for link in linked if link is not None and not link.startswith(data)] == [
            folder + slot.page for slot in slots
        ]
        assert len(linked) > len(slots)
    links = [a.attributes["href"] for a in parse((tmp_path / "index.html").read_text()).all("a")]
    day = "2026/2026-11-20_paper_day.html"  # of the alert that stands, above the calendar, and in the list
    assert links == [day, day, day, "2026/2026-11-20_1035_paper_20261120T1535Z.html"]
    assert json.loads(written.json_path.read_text())["schema"] == "rebalancer.edition/1"
    assert "PA3ABCDEF7Q2" not in written.json_path.read_text() + written.html_path.read_text()


def test_old_pages_of_runs_and_days_go_and_longer_editions_stay(tmp_path: Path) -> None:
    write_report(sample_record(), tmp_path)
    write_edition(edition(), tmp_path)
    write_edition(edition(period="month", first=date(2026, 11, 1)), tmp_path)
    stranger = tmp_path / "2026" / "2020-01-01_mine.html"
    stranger.write_text("not ours")
    assert remove_outdated(tmp_path, date(2026, 12, 20), 30) == 0
    assert remove_outdated(tmp_path, date(2026, 12, 21), 30) == 2
    assert [name for name in names(tmp_path) if name.startswith("2026/")] == [
        "2026/2020-01-01_mine.html",
        "2026/2026-11_paper_month.html",
        "2026/2026-11_paper_month.json",
        "2026/2026-11_paper_month_data.html",
    ]


def test_no_folder_is_nothing_to_remove(tmp_path: Path) -> None:
    assert remove_outdated(tmp_path / "none", date(2026, 12, 21), 30) == 0


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "2026").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReportNotWritten, match="symbolic link"):
        write_edition(edition(), tmp_path / "reports")
    assert list((tmp_path / "elsewhere").iterdir()) == []
