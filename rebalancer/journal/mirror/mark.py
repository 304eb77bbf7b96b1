"""What says that a schema is a mirror, and of what: its table `mirror`. Imports no SQLAlchemy."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from rebalancer.core.values import utc
from rebalancer.journal.chain import GENESIS
from rebalancer.journal.conditions import Ask

PROMOTED: Final = "mirror_promoted"  # an event kind: from here on the copy is a journal of its own
_COLUMNS: Final = "host, started_at, heard_at, level_at, verified_seq, verified_at, clock_timestamp()"


class ChainHead(NamedTuple):
    """The number and hash of a newest row; 0 and GENESIS before the first."""

    seq: int
    hash: str


EMPTY: Final = ChainHead(0, GENESIS)


class MirrorMark(NamedTuple):
    """Whose journal a schema is a copy of. Times by the database's clock, which says `now`: when the copy was begun,
    when its process was last heard of, when it last had every row (None: never), and when it was last compared with the
    journal, up to which row."""

    host: str
    started_at: datetime
    heard_at: datetime
    level_at: datetime | None
    verified_seq: int | None
    verified_at: datetime | None
    now: datetime


def read_mark(ask: Ask) -> MirrorMark | None:
    """The mark of a schema in PostgreSQL; None for a journal of its own, and in a file."""
    if ask.dialect != "postgresql" or not ask("SELECT to_regclass('mirror') IS NOT NULL", {})[0][0]:
        return None
    rows = ask(f"SELECT {_COLUMNS} FROM mirror", {})  # noqa: S608  constants only
    return _mark(*rows[0]) if rows else None


def _mark(host: str, started_at: Any, heard_at: Any, level_at: Any, seq: Any, verified_at: Any, now: Any) -> MirrorMark:
    return MirrorMark(host, utc(started_at), utc(heard_at), level_at and utc(level_at), seq,
                      verified_at and utc(verified_at), utc(now))  # fmt: skip


def head_in_database(ask: Ask) -> ChainHead:
    """The newest row of a journal in PostgreSQL, as its head says."""
    rows = ask("SELECT seq, hash FROM heads WHERE id = 1", {})
    return ChainHead(int(rows[0][0]), str(rows[0][1])) if rows else EMPTY
