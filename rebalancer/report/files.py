"""Write reports where people find them, in a way that a crash, a symbolic link or a hostile name can do no harm.

    reports/YYYY/<name>.html and .json    one pair per run, one per edition (day, week, month)
    reports/YYYY/<name>_data.html         the tables of its charts for which the page of an edition has no room
    reports/latest.html                   a copy of the newest page
    reports/index.html and index.json     one line per run

Each file is written under another name, flushed to disk and renamed: readers see the old file or the new one, complete.
Files are 0600, new folders 0700.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rebalancer.report.document import json_of
from rebalancer.report.index import index_files, outdated
from rebalancer.report.index_days import DaySummary, day_summary
from rebalancer.report.page import html_of
from rebalancer.report.paths import report_name, report_year
from rebalancer.report.period.document import edition_json
from rebalancer.report.period.names import data_name, edition_name, edition_year
from rebalancer.report.period.page import edition_pages, redacted
from rebalancer.report.period.records import PeriodReport
from rebalancer.report.records import RunRecord, RunSummary
from rebalancer.report.redact import redact
from rebalancer.report.summary import summary_of


class ReportNotWritten(Exception):
    """A report could not be written; the message says where, why and how to fix it."""


class WrittenReport(NamedTuple):
    """Where the page and its JSON twin are."""

    html_path: Path
    json_path: Path


def write_report(record: RunRecord, directory: Path) -> WrittenReport:
    """Write the page and the JSON of one run, then `latest.html` and the index. A report of the same run is
    overwritten.

    Needs no lock of its own: the caller holds the run lock. Raises ReportNotWritten.
    """
    name, year = report_name(record), report_year(record)
    summary = summary_of(redact(record), page=f"{year}/{name}.html")
    html = html_of(record)
    return _write(directory, year, name, html, html, json_of(record), summary)


def write_edition(edition: PeriodReport, directory: Path) -> WrittenReport:
    """Write the page and the JSON of an edition, then `latest.html` and the index. As `write_report`."""
    edition = redacted(edition)
    name, year = edition_name(edition), edition_year(edition)
    pages, latest = edition_pages(edition), edition_pages(edition, f"{year}/").page
    more = {f"{data_name(edition)}.html": pages.data} if pages.data else {}
    text = edition_json(edition)
    day = day_summary(edition, json.loads(text)["figures"]) if edition.period == "day" else None
    return _write(directory, year, name, pages.page, latest, text, None, more, day)


def remove_outdated(directory: Path, today: date, keep_days: int) -> int:
    """Remove the pages of runs and days that are more than `keep_days` old, and count them; longer editions stay.
    Raises ReportNotWritten."""
    try:
        base = directory.resolve(strict=True)
        pages = outdated(base, today, keep_days)
        with _folder(base) as top:
            for year, name in pages:
                with _subfolder(top, year) as folder:
                    for ending in (".html", ".json", "_data.html"):
                        with suppress(FileNotFoundError):
                            os.unlink(name + ending, dir_fd=folder)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ReportNotWritten(f"{directory}: old pages cannot be removed: {error.strerror or error}") from None
    return len(pages)


def _write(
    directory: Path,
    year: str,
    name: str,
    html: str,
    latest: str,
    text: str,
    summary: RunSummary | None,
    more: Mapping[str, str] = MappingProxyType({}),
    day: DaySummary | None = None,
) -> WrittenReport:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        base = directory.resolve(strict=True)
        with _folder(base) as top, _subfolder(top, year) as folder:
            _replace(folder, f"{name}.json", text)
            for other, content in more.items():
                _replace(folder, other, content)
            _replace(folder, f"{name}.html", html)
            _replace(top, "latest.html", latest)
            for file_name, content in index_files(base, summary, day).items():
                _replace(top, file_name, content)
    except OSError as error:
        raise ReportNotWritten(
            f"{directory}: the report {name} cannot be written: {error.strerror or error}\n"
            "  hint: check the owner, the space and that no folder below it is a symbolic link (reporting.directory)"
        ) from None
    return WrittenReport(base / year / f"{name}.html", base / year / f"{name}.json")


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _subfolder(top: int, name: str) -> Iterator[int]:
    """Open a folder below an open one, created if necessary, never through a link."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=top)
        os.fsync(top)
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        yield handle
    finally:
        os.close(handle)


def _replace(folder: int, name: str, text: str) -> None:
    """Replace a file atomically. What a crash left under the temporary name is removed first."""
    temporary = f".{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)
