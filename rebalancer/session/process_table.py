"""`desk.json`: how the processes of the sessions stand that this host keeps going, and whether one needs a look.

Written by `desk run` and `session --every-day`. Nothing that trades depends on it, so errors of the file are ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.documents import plain
from rebalancer.core.input_file import read_json_file
from rebalancer.core.values import utc_of
from rebalancer.ops.files import put_whole
from rebalancer.ops.run_lock import is_running
from rebalancer.session.account_sessions import AccountProcess

NAME: Final = "desk.json"
LOCK: Final = "desk.lock"
SCHEMA: Final = "rebalancer.desk-processes/1"
OVERDUE: Final = timedelta(minutes=5)
_SIZE_MAX: Final = 1024 * 1024


class KnownProcess(NamedTuple):
    """One account's process as the table has it."""

    state: str
    pid: int | None
    exit_code: int | None
    again_at: datetime | None


def write_table(file: Path, stands: Sequence[AccountProcess]) -> None:
    """Replace the table."""
    text = json.dumps({"schema": SCHEMA, "pid": os.getpid(), "accounts": plain(tuple(stands))})
    with suppress(OSError):
        put_whole(file, f"{text}\n".encode())


def read_table(file: Path) -> Mapping[str, KnownProcess]:
    """The processes by account; none when whoever kept them has ended."""
    try:
        document = read_json_file(file, _SIZE_MAX)
        alive = is_running(int(document["pid"]))
        return {str(row["name"]): _known(row) for row in document["accounts"]} if alive else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _known(row: Mapping[str, object]) -> KnownProcess:
    pid, code, again = row.get("pid"), row.get("exit_code"), row.get("again_at")
    return KnownProcess(
        state=str(row.get("state", "off")),
        pid=pid if isinstance(pid, int) else None,
        exit_code=code if isinstance(code, int) else None,
        again_at=utc_of(str(again)) if again else None,
    )


def problem_of(known: KnownProcess | None, now: datetime) -> str | None:
    """Why an account's sessions are not kept going; None when they are: also while the market is closed, and while
    another host trades the account."""
    if known is None:
        return "no session runs here, and nothing starts one"
    if known.state in ("retrying", "failed"):
        return f"the last session ended with exit code {known.exit_code}"
    if known.again_at is not None and now - known.again_at > OVERDUE:
        return f"a session was due at {known.again_at:%Y-%m-%d %H:%M} UTC, and none was started"
    return None
