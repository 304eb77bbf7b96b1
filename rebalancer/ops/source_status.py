"""`sources.json`: what the process that asks the sources reports to `status`, `doctor` and the page.

Informational only: no decision depends on it, so failures to read or write it are ignored. Reading it loads nothing.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.input_file import read_json_file
from rebalancer.ops.files import put_whole

NAME: Final = "sources.json"
SCHEMA: Final = "rebalancer.sources/1"
_SIZE_MAX: Final = 256 * 1024


class SourceStatus(NamedTuple):
    """One source after its last round.

    `state`: on, off, or spent (no calls or money left today); `kind` of being off: key, quota, gone, refused, missing
    or failed (`failures` in a row). `names`: how many symbols it is asked about, `covered` of them have a vote, `fresh`
    were asked within its `ttl_seconds`, `silent` had no vote the last time. `calls` and `usd` of today, with their
    limits; None: no limit. `at`, `until`: RFC 3339, by this machine's clock."""

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
    """What was reported last, by name; nothing when there is no file or it cannot be read."""
    try:
        body = read_json_file(state / NAME, _SIZE_MAX)
        return tuple(SourceStatus(**row) for row in body["sources"])
    except (OSError, ValueError, TypeError, KeyError):
        return ()
