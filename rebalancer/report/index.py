"""The list of runs: `index.html` for people and `index.json`, which the next run extends.

A missing or damaged `index.json` is rebuilt from the existing reports. The newest `RUNS_MAX` runs are listed; older
pages stay in their folders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.core.codec import BadDocument, plain
from rebalancer.core.input_file import read_json_file, read_text
from rebalancer.report.document import read_report
from rebalancer.report.index_days import DaySummary, days_of, with_day
from rebalancer.report.page import index_html
from rebalancer.report.paths import REPORT_NAME
from rebalancer.report.period.names import EDITION_NAME
from rebalancer.report.records import RunSummary
from rebalancer.report.summary import summary_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

INDEX_SCHEMA: Final = "rebalancer.report-index/1"
RUNS_MAX: Final = 500
EDITIONS_MAX: Final = 400
_DAY_EDITION: Final = re.compile(r"\d{4}-\d\d-\d\d_(?:simulated|paper|live|dry_run)_day", re.ASCII)
INDEX_SIZE_MAX: Final = 4 * 1024 * 1024
REPORT_SIZE_MAX: Final = 16 * 1024 * 1024


def index_files(base: Path, run: RunSummary | None, day: DaySummary | None = None) -> dict[str, str]:
    """The new contents of `index.html` and `index.json` after one more run, or after an edition, by file name. day: of
    the edition of a day."""
    known = read_index(base)
    days = with_day(days_of(_stored_days(base), base), day)
    runs, unreadable = scan(base) if known is None else (known, ())
    if run is not None:
        runs = _newest([run, *(other for other in runs if other.page != run.page)])
    pages = {*unreadable, *(listed.page for listed in runs)}
    older = sum(1 for path in _pages(base) if path not in pages)
    text = json.dumps(
        {"schema": INDEX_SCHEMA, "runs": plain(runs), "days": plain(days)}, separators=(",", ":"), ensure_ascii=False
    )
    safe_text = text.encode("utf-8", "backslashreplace").decode() + "\n"
    return {"index.html": index_html(runs, unreadable, older, editions(base), days), "index.json": safe_text}


def read_index(base: Path) -> list[RunSummary] | None:
    """The runs of `index.json`; None when it is missing or cannot be read. Runs whose page no longer exists are left
    out."""
    from pydantic import ValidationError

    path = base / "index.json"
    try:
        document = read_json_file(path, INDEX_SIZE_MAX)
        if not isinstance(document, dict) or document.get("schema") != INDEX_SCHEMA:
            return None
        runs = _adapter().validate_python(document["runs"])
        plain(runs)  # refuses times without a zone
    except (BadDocument, ValidationError, KeyError, ValueError):
        return None
    return [run for run in runs if _is_page(run.page) and (base / run.page).is_file()]


def _stored_days(base: Path) -> object:
    """The days of `index.json`; None when it is missing or damaged."""
    try:
        document = read_json_file(base / "index.json", INDEX_SIZE_MAX)
    except BadDocument:
        return None
    return document.get("days") if isinstance(document, dict) else None


def scan(base: Path) -> tuple[list[RunSummary], tuple[str, ...]]:
    """Read the newest reports in the folder again: their summaries, and the names of those that cannot be read."""
    runs: list[RunSummary] = []
    unreadable: list[str] = []
    for page in sorted(_pages(base), reverse=True)[:RUNS_MAX]:
        path = (base / page).with_suffix(".json")
        try:
            if path.is_symlink():
                raise BadDocument(str(path), "is a symbolic link")
            runs.append(summary_of(read_report(read_text(path, REPORT_SIZE_MAX), path.name), page))
        except (BadDocument, ValueError, ArithmeticError):
            unreadable.append(page)
    return runs, tuple(unreadable)


def editions(base: Path) -> list[str]:
    """The newest pages of days, weeks and months below the report folder, newest first."""
    found = [page for page in _files(base) if EDITION_NAME.fullmatch(_stem(page)) and page.endswith(".html")]
    return sorted(found, reverse=True)[:EDITIONS_MAX]


def outdated(base: Path, today: date, keep_days: int) -> list[tuple[str, str]]:
    """Folder and name without extension of the pages of runs and days that are more than `keep_days` old."""
    oldest = (today - timedelta(days=keep_days)).isoformat()
    names = {page.rpartition(".")[0] for page in _files(base)}
    dated = [page for page in names if REPORT_NAME.fullmatch(_stem(page)) or _DAY_EDITION.fullmatch(_stem(page))]
    return sorted((page.partition("/")[0], _stem(page)) for page in dated if _stem(page)[:10] < oldest)


def _pages(base: Path) -> Iterator[str]:
    """All pages of runs below the report folder, as "2026/name.html"."""
    return (page for page in _files(base) if _is_page(page))


def _files(base: Path) -> Iterator[str]:
    for folder in base.glob("[0-9][0-9][0-9][0-9]"):
        if folder.is_dir() and not folder.is_symlink():
            yield from (f"{folder.name}/{path.name}" for path in folder.iterdir())


def _stem(page: str) -> str:
    return page.rpartition("/")[2].removesuffix(".html").removesuffix(".json")


def _is_page(page: str) -> bool:
    year, _, name = page.partition("/")
    return (
        len(year) == 4
        and year.isascii()
        and year.isdigit()
        and name.endswith(".html")
        and REPORT_NAME.fullmatch(name.removesuffix(".html")) is not None
    )


def _newest(runs: Sequence[RunSummary]) -> list[RunSummary]:
    return sorted(runs, key=lambda run: (run.started_at, run.page), reverse=True)[:RUNS_MAX]


@cache
def _adapter() -> TypeAdapter[list[RunSummary]]:
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(list[RunSummary], config=ConfigDict(extra="forbid", allow_inf_nan=False))
