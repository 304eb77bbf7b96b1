"""`session.json`: what a running session tells `status`: its process, its trading day, what it does and what is next.

A hint for people and nothing else: no decision is made by it, so it is never worth an error.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.input_file import read_text
from rebalancer.core.values import time_text, utc_of
from rebalancer.ops.files import put_whole

NAME: Final = "session.json"
_SIZE_MAX: Final = 64 * 1024
SCHEMA: Final = "rebalancer.session/1"
WAITING: Final = "next cycle"  # how it says that it waits for `next_at` and does nothing else


class SessionStatus(NamedTuple):
    """What the session says. `next_at` is the broker's time of the next slot, None when none is left today; `day` is
    the trading day in New York; `is_alive` is False when the process has ended without taking the file away."""

    pid: int
    day: str
    next_at: datetime | None
    doing: str
    is_alive: bool


class SessionStatusFile:
    """The file of one session, written whole each time."""

    def __init__(self, state: Path) -> None:
        self._path, self._told = state / NAME, ""
        self._process = {"schema": SCHEMA, "pid": os.getpid(), "began": _began(os.getpid())}

    def tell(self, day: date, next_at: datetime | None, doing: str) -> None:
        """Write what is being done; nothing when it is the same as before, or when it cannot be written."""
        when = None if next_at is None else time_text(next_at)
        text = json.dumps({**self._process, "day": day.isoformat(), "next_at": when, "doing": doing})
        if text == self._told:
            return
        with suppress(OSError):
            put_whole(self._path, f"{text}\n".encode())
            self._told = text

    def remove(self) -> None:
        """Take the file away: the session is over."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def session_status(state: Path) -> SessionStatus | None:
    """What the session of this state folder has said; None when there is none or it cannot be read."""
    try:
        body = json.loads(read_text(state / NAME, _SIZE_MAX))
        pid, when = int(body["pid"]), body["next_at"]
        alive = pid > 0 and _began(pid) == body["began"] and _runs(pid)
        return SessionStatus(pid, str(body["day"]), None if when is None else utc_of(when), str(body["doing"]), alive)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks: a number given again belongs to another one. "" where it is not
    told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
