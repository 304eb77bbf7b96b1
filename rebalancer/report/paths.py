"""Names of report files, built only from a parsed time and an allow-listed run id.

2026/2026-11-20_1035_paper_20261120T1535Z.html     day and time in New York, mode, run
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import Final

from rebalancer.report.numbers import eastern
from rebalancer.report.records import RunRecord

_CYCLE_ID: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?Z", re.ASCII)
_PLAIN_ID: Final = re.compile(r"(?!x-)[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
REPORT_NAME: Final = re.compile(r"\d{4}-\d\d-\d\d_\d{4}_(?:simulated|paper|live|dry_run)_[A-Za-z0-9-]{1,40}", re.ASCII)


def run_name(cycle_id: str) -> str:
    """The part of a file name that identifies a run; different runs have different names.

    A cycle id is written without punctuation, a short lower-case id as it is, anything else as `x-` and a hash.
    """
    match = _CYCLE_ID.fullmatch(cycle_id)
    if match is not None:
        year, month, day, hour, minute, second = match.groups(default="")
        return f"{year}{month}{day}T{hour}{minute}{second}Z"
    if _PLAIN_ID.fullmatch(cycle_id):
        return cycle_id
    return "x-" + hashlib.sha256(cycle_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def report_name(record: RunRecord) -> str:
    """The file name of a report without its extension."""
    name = report_name_of(record.started_at, record.mode, record.snapshot.cycle_id)
    if REPORT_NAME.fullmatch(name) is None:
        raise ValueError(f"{record.mode!r} is not a mode")
    return name


def report_name_of(started_at: datetime, mode: str, cycle_id: str) -> str:
    """The same from what names a cycle."""
    local = eastern(started_at)
    return f"{local.year:04d}-{local:%m-%d_%H%M}_{mode}_{run_name(cycle_id)}"


def report_year(record: RunRecord) -> str:
    """The folder of a report: the year in New York, four digits."""
    return f"{eastern(record.started_at).year:04d}"


def shown_path(path: Path) -> str:
    """A path, as short as possible relative to the current directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
