"""`sources.json`: what the process that asks the sources reports to `status`, `doctor` and the page.

Informational only: no decision depends on it, so failures to read or write it are ignored. Reading it loads nothing.
A process that died leaves its last report behind: `current_sources` says so.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.input_file import read_json_file
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.files import put_whole
from rebalancer.ops.run_lock import holder_of

NAME: Final = "sources.json"
LOCK_NAME: Final = "sources.lock"  # held by the process while it asks
SCHEMA: Final = "rebalancer.sources/1"
SILENT_SECONDS: Final = 900.0  # a round ends and is reported every minute or so; a slow vendor may take several
_SIZE_MAX: Final = 256 * 1024


class SourceStatus(NamedTuple):
    """One source after its last round.

    `state`: on, off, spent (no calls or money left today), or stopped (nobody asks it now); `kind` of being off: key,
    quota, gone, refused, missing or failed (`failures` in a row). `names`: how many symbols it is asked about,
    `covered` of them have a vote, `fresh` were asked within its `ttl_seconds`, `silent` had no vote the last time.
    `calls` and `usd` of today, with their limits; None: no limit. `at`, `until`: RFC 3339, by this machine's clock."""

    name: str
    state: str
    kind: str
    because: str
    hint: str
    until: str | None
    names: int
    covered: int
    fresh: int
    silent: int
    silent_because: str
    calls: int
    calls_per_day: int | None
    usd: str
    usd_per_day: str | None
    at: str
    failures: int = 0

    @property
    def is_ok(self) -> bool:
        """Whether nobody has to look at it."""
        return self.state == "on"


class SourceStatusFile:
    """The file of one process, replaced as a whole each time. Safe to use from several threads."""

    def __init__(self, state: Path) -> None:
        self._path, self._lock = state / NAME, threading.Lock()
        self._rows: dict[str, SourceStatus] = {}

    def tell(self, row: SourceStatus) -> None:
        """Write one source's state; write errors are ignored."""
        with self._lock:
            self._rows[row.name] = row
            rows = [self._rows[name]._asdict() for name in sorted(self._rows)]
            with suppress(OSError):
                put_whole(self._path, (json.dumps({"schema": SCHEMA, "sources": rows}) + "\n").encode())


def source_status(state: Path) -> tuple[SourceStatus, ...]:
    """What was reported last, however long ago, by name; nothing when there is no file or it cannot be read."""
    try:
        body = read_json_file(state / NAME, _SIZE_MAX)
        return tuple(SourceStatus(**row) for row in body["sources"])
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def current_sources(state: Path, now: datetime | None = None) -> tuple[SourceStatus, ...]:
    """What is true now: as `source_status`, but `stopped`, with the time of the last report, where no process asks the
    sources or this one has not been heard of for `SILENT_SECONDS`. now: by this machine's clock."""
    rows = source_status(state)
    if not rows:
        return ()
    now = SystemClock().wall() if now is None else now
    is_running = holder_of(state / LOCK_NAME) is not None
    return tuple(row if is_running and _is_recent(row, now) else _stopped(row, is_running) for row in rows)


def _is_recent(row: SourceStatus, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(row.at) <= timedelta(seconds=SILENT_SECONDS)
    except (ValueError, TypeError):
        return False


def _stopped(row: SourceStatus, is_running: bool) -> SourceStatus:
    what = "its rounds do not end" if is_running else "the process that asks the sources does not run"
    before = f" ({row.because})" if row.because else ""
    because = f"{what}; this is of {row.at[:16].replace('T', ' ')} UTC{before}"
    hint = "look into sources.log" if is_running else "a session or the unit starts it, or rebalancer sources run"
    return row._replace(state="stopped", kind="", because=because, hint=hint, until=None, failures=0)
