"""`session.json`: what a running session reports to `status`: process, trading day, current activity and next slot.

Informational only: no decision depends on it, so failures to read or write it are ignored.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.input_file import read_json_file
from rebalancer.core.values import time_text, utc_of
from rebalancer.ops.files import put_whole
from rebalancer.ops.run_lock import is_running

NAME: Final = "session.json"
_SIZE_MAX: Final = 64 * 1024
SCHEMA: Final = "rebalancer.session/1"
WAITING: Final = "next cycle"  # the activity while it only waits for `next_at`


class SessionStatus(NamedTuple):
    """What the session reports. `next_at` is the broker's time of the next slot, today or later, None when the calendar
    does not say; `day` is the trading day in New York; `is_alive` is False when the process ended without removing the
    file."""

    pid: int
    day: str
    next_at: datetime | None
    doing: str
    is_alive: bool


class SessionStatusFile:
    """The status file of one session, replaced as a whole each time."""

    def __init__(self, state: Path) -> None:
        self._path, self._last_written = state / NAME, ""
        self._process = {"schema": SCHEMA, "pid": os.getpid(), "began": _began(os.getpid())}

    def tell(self, day: date, next_at: datetime | None, doing: str) -> None:
        """Write the current activity. Does nothing if it is unchanged; write errors are ignored."""
        when = None if next_at is None else time_text(next_at)
        text = json.dumps({**self._process, "day": day.isoformat(), "next_at": when, "doing": doing})
        if text == self._last_written:
            return
        with suppress(OSError):
            put_whole(self._path, f"{text}\n".encode())
            self._last_written = text

    def remove(self) -> None:
        """Remove the file at the end of the session."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def session_status(state: Path) -> SessionStatus | None:
    """The status reported by this state folder's session; None when there is none or it cannot be read."""
    try:
        body = read_json_file(state / NAME, _SIZE_MAX)
        pid, when = int(body["pid"]), body["next_at"]
        alive = pid > 0 and _began(pid) == body["began"] and is_running(pid)
        return SessionStatus(pid, str(body["day"]), None if when is None else utc_of(when), str(body["doing"]), alive)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _began(pid: int) -> str:
    """The start time of a process in kernel ticks, which distinguishes it from another process that reuses its number;
    "" when it cannot be determined."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
