"""`mirror.json`: what the process that copies the journal to its mirror reports to `status`, `doctor` and the session.

Informational only: no decision depends on it, so failures to read or write it are ignored. Reading it loads nothing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.input_file import read_json_file
from rebalancer.core.values import utc_of
from rebalancer.ops.files import put_whole

NAME: Final = "mirror.json"
LOCK_NAME: Final = "mirror.lock"  # held by the process while it copies
SCHEMA: Final = "rebalancer.mirror-status/1"
_SIZE_MAX: Final = 64 * 1024


class MirrorStatus(NamedTuple):
    """The mirror as its process saw it last, at `at`. Times are RFC 3339 by this machine's clock.

    `place`: where it is, without secrets; `row`, `hash`: its newest row, None before it was ever reached; `level_at`:
    when it last had every row of the journal; `verified_row`, `verified_at`: up to which row it was compared with the
    journal. `problem` says why nothing is copied ("": nothing is wrong), `kind` whether that may pass by itself (away)
    or not (refused), `problem_since` from when on; `difference` is what the last comparison found, at `compared_at`.
    """

    place: str
    at: str
    row: int | None = None
    hash: str = ""
    level_at: str | None = None
    verified_row: int | None = None
    verified_at: str | None = None
    kind: str = ""
    problem: str = ""
    problem_since: str | None = None
    difference: str = ""
    compared_at: str | None = None

    def with_comparison_of(self, other: MirrorStatus) -> MirrorStatus:
        """The same with what another process's comparison of the same mirror found, if it was made later."""
        if other.place != self.place or other.compared_at is None:
            return self
        if self.compared_at is not None and utc_of(other.compared_at) <= utc_of(self.compared_at):
            return self
        return self._replace(
            verified_row=other.verified_row, verified_at=other.verified_at, difference=other.difference,
            compared_at=other.compared_at,
        )  # fmt: skip


def write_mirror_status(state: Path, status: MirrorStatus) -> None:
    """Replace the file as a whole; errors are ignored."""
    with suppress(OSError):
        put_whole(state / NAME, (json.dumps({"schema": SCHEMA, **status._asdict()}) + "\n").encode())


def read_mirror_status(state: Path) -> MirrorStatus | None:
    """What was reported last, however long ago; None when there is no file or it cannot be read."""
    try:
        body = dict(read_json_file(state / NAME, _SIZE_MAX))
        del body["schema"]
        return MirrorStatus(**body)
    except (OSError, ValueError, TypeError, KeyError):
        return None


class MirrorLag(NamedTuple):
    """How far a mirror is behind: events, None when that is not known, and since when it has not had all of them, None
    when it has, or never had."""

    rows: int | None
    since: datetime | None

    def seconds(self, now: datetime) -> float | None:
        """How long that is; None when it is not behind, or never had everything."""
        return None if self.since is None else max((now - self.since).total_seconds(), 0.0)


def lag_of(status: MirrorStatus, newest: int | None) -> MirrorLag:
    """The lag behind the journal's newest row, None when that is not known."""
    rows = None if newest is None or status.row is None else max(newest - status.row, 0)
    return MirrorLag(rows, None if rows == 0 or status.level_at is None else utc_of(status.level_at))
