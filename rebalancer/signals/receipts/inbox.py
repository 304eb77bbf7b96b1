"""The inbox: signals that other processes insert, and that the next cycle reads.

An insertion is one transaction that is on disk before it returns, so its receipts can be promised to whoever sent the
signals. Any number of processes may insert; none of them ever makes a cycle wait, because the cycle only reads.
Inserting the same signal again gives the same receipt and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from sqlite3 import Connection
from typing import Final, NamedTuple, Self

from pydantic import ConfigDict, TypeAdapter

from rebalancer.core.documents import BadDocument, canonical_json, plain, sha256
from rebalancer.core.facts import Signal
from rebalancer.core.values import utc, utc_of
from rebalancer.journal.chain import stamp
from rebalancer.ops.csv_table import check_names
from rebalancer.signals.receipts.database import SignalDatabase
from rebalancer.signals.receipts.identity import content_of, kind_of, receipt_id
from rebalancer.signals.signal_row import COLUMNS, SOURCE, BadCell, signal_of_row

NAME: Final = "inbox.sqlite"
WAIT_SECONDS: Final = 5.0
KEPT_DAYS: Final = 7  # how long an inserted signal is recognised when it is inserted again
SKEW: Final = timedelta(seconds=5)  # how far a time may be ahead of ours
_RAW_LENGTH_MAX: Final = 2000
_EDITION: Final = 1
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS inbox (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        receipt TEXT NOT NULL UNIQUE,
        signal_id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        source TEXT NOT NULL,
        kind TEXT NOT NULL,
        received_at TEXT NOT NULL,
        issued_at TEXT NOT NULL,
        at_arrival INTEGER NOT NULL, -- 1: the sender gave no time, so it counts as issued when it was received
        content TEXT NOT NULL,
        content_sha256 TEXT NOT NULL,
        problem TEXT NOT NULL -- why the row is no signal; "" when it is one
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS uq_inbox_signal ON inbox (signal_id) WHERE problem = ''",
    "CREATE INDEX IF NOT EXISTS ix_inbox_issued ON inbox (issued_at)",
    "CREATE INDEX IF NOT EXISTS ix_inbox_received ON inbox (received_at)",
)


class Receipt(NamedTuple):
    """The answer to one row. `problem`: why it is no signal, "" when it is one; a refused row has a receipt too, with
    the outcome REJECTED_INVALID. `is_new`: False when the same row was received before."""

    id: str
    signal_id: str
    symbol: str
    problem: str
    is_new: bool


class InboxRow(NamedTuple):
    """One row of the inbox as stored; times are texts that sort like times."""

    n: int
    receipt: str
    signal_id: str
    symbol: str
    source: str
    kind: str
    received_at: str
    issued_at: str
    at_arrival: int
    content: str
    content_sha256: str
    problem: str


class SignalInbox:
    """One open inbox. Safe to share between threads, and between processes that each open it."""

    def __init__(self, database: SignalDatabase) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path, wait_seconds: float = WAIT_SECONDS) -> Self:
        """Open an inbox, creating it when missing. wait_seconds: how long to wait for another writer. Raises
        SignalsUnavailable."""
        return cls(SignalDatabase(path, _TABLES, _EDITION, wait_seconds, durable=True))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def receive(
        self, rows: Sequence[Mapping[str, object]], *, source: str, at: datetime, key: str | None = None
    ) -> tuple[Receipt, ...]:
        """Insert rows, and return one receipt for each, in their order. On disk when this returns.

        rows: with the columns of a signal file (signals/README.md); numbers may be JSON numbers or texts. source: the
        source of rows without one. at: aware; when they were received, and the issue time of rows without `issued_at`.
        key: identifies this delivery, so that repeating it gives the same receipts. Without it, a row that has neither
        an id nor a time is a new signal each time.

        A row that is no signal is refused in its receipt, as is an id that was used for another signal; the other rows
        are inserted. Raises SignalsUnavailable, and then no row is inserted; ValueError for a source that is none.
        """
        if SOURCE.fullmatch(source) is None:
            raise ValueError(f"{source[:40]!r} cannot be a source: use letters, digits, dots, dashes, underscores")
        read = [_read(row, source, utc(at), None if key is None else f"{key}\n{i}") for i, row in enumerate(rows)]
        with self._database.writing() as connection:
            return tuple(_insert(connection, row) for row in read)

    def current(self, now: datetime, wall: datetime, age: timedelta) -> tuple[Signal, ...]:
        """The newest signal of each source and symbol, if it was issued within `age`; sorted by symbol, source and id.

        now: the broker's time. wall: the machine's time, which dates signals that came without one. Older signals of
        the same source and symbol are replaced by the newest and never reach a plan. Raises SignalsUnavailable, and
        BadDocument for a row that was altered.
        """
        newest = (
            "SELECT *, row_number() OVER (PARTITION BY source, symbol ORDER BY issued_at DESC, n DESC) AS place "
            "FROM inbox WHERE problem = '' AND issued_at >= CASE at_arrival WHEN 1 THEN :wall ELSE :now END"
        )
        fields = ", ".join(InboxRow._fields)
        since = {"now": stamp(now - age), "wall": stamp(wall - age)}
        with self._database.reading() as connection:
            found = connection.execute(f"SELECT {fields} FROM ({newest}) WHERE place = 1", since).fetchall()  # noqa: S608
        signals = [_signal_of(InboxRow._make(row), now - wall) for row in found]
        return tuple(sorted(signals, key=lambda s: (s.symbol, s.source, s.id)))

    def is_empty(self) -> bool:
        """Whether it has no row."""
        with self._database.reading() as connection:
            return connection.execute("SELECT 1 FROM inbox LIMIT 1").fetchone() is None

    def after(self, n: int, limit: int) -> tuple[InboxRow, ...]:
        """The rows inserted after row number `n`, oldest first, at most so many."""
        with self._database.reading() as connection:
            found = connection.execute(
                f"SELECT {', '.join(InboxRow._fields)} FROM inbox WHERE n > ? ORDER BY n LIMIT ?",  # noqa: S608
                (n, limit),
            )
            return tuple(InboxRow._make(row) for row in found)

    def prune(self, before: datetime, up_to: int, limit: int) -> int:
        """Delete rows received before a moment, up to row number `up_to`, at most so many. Returns their number."""
        with self._database.writing() as connection:
            return connection.execute(
                "DELETE FROM inbox WHERE n IN (SELECT n FROM inbox WHERE received_at < ? AND n <= ? LIMIT ?)",
                (stamp(before), up_to, limit),
            ).rowcount


def receive(
    path: Path, rows: Sequence[Mapping[str, object]], *, source: str, at: datetime, key: str | None = None
) -> tuple[Receipt, ...]:
    """Insert rows into the inbox at `path` (`inbox.sqlite` in the state folder); see `SignalInbox.receive`."""
    with SignalInbox.open(path) as inbox:
        return inbox.receive(rows, source=source, at=at, key=key)


def _read(row: Mapping[str, object], source: str, at: datetime, key: str | None) -> InboxRow:
    """A row of the inbox, not yet numbered."""
    cells: Mapping[str, object] = row
    try:
        check_names([str(name) for name in cells], "row", COLUMNS)
        if key is not None and cells.get("id") is None:
            cells = {**cells, "id": f"{source}-{sha256(key)[:16]}"}
        signal = signal_of_row(cells, source, at)
        if signal.issued_at > at + SKEW:
            raise BadCell("issued_at", "is in the future", "write when the signal was issued")
    except BadCell as error:
        return _refused(row, source, at, f"{error}" + (f" ({error.hint})" if error.hint else ""))
    except BadDocument as error:
        place = error.where.removeprefix("row: ").strip("'")
        return _refused(row, source, at, f"{place}: {error.problem}" + (f" ({error.hint})" if error.hint else ""))
    document = plain(signal)
    content = content_of(document)
    content_sha256 = sha256(content)
    return InboxRow(
        0, receipt_id(signal.id, signal.symbol, content_sha256), signal.id, signal.symbol, signal.source,
        kind_of(document), stamp(at), stamp(signal.issued_at), int(cells.get("issued_at") is None), content,
        content_sha256, "",
    )  # fmt: skip


def _refused(row: Mapping[str, object], source: str, at: datetime, problem: str) -> InboxRow:
    raw = json.dumps(dict(row), sort_keys=True, default=str)[:_RAW_LENGTH_MAX]
    symbol, name = row.get("symbol"), row.get("id")
    signal_id = _storable(name)[:128] if isinstance(name, str) else ""
    shown = _storable(symbol)[:40] if isinstance(symbol, str) else ""
    content_sha256 = sha256(canonical_json([source, raw]))
    return InboxRow(
        0, receipt_id(signal_id, shown, content_sha256), signal_id, shown, source, "refused", stamp(at), stamp(at), 1,
        raw, content_sha256, _storable(problem),
    )  # fmt: skip


def _insert(connection: Connection, row: InboxRow) -> Receipt:
    if not row.problem:
        same = "SELECT receipt, at_arrival, issued_at FROM inbox WHERE signal_id = ? AND problem = ''"
        known = connection.execute(same, (row.signal_id,)).fetchone()
        if known is not None:
            is_same = known[0] == row.receipt and (known[1], row.at_arrival) == (1, 1)
            if is_same or known == (row.receipt, row.at_arrival, row.issued_at):
                return Receipt(row.receipt, row.signal_id, row.symbol, "", is_new=False)
            row = _repeated(row)
    values = ", ".join("?" * (len(InboxRow._fields) - 1))
    names = ", ".join(InboxRow._fields[1:])
    added = connection.execute(f"INSERT OR IGNORE INTO inbox ({names}) VALUES ({values})", row[1:])  # noqa: S608
    return Receipt(row.receipt, row.signal_id, row.symbol, row.problem, is_new=added.rowcount == 1)


def _repeated(row: InboxRow) -> InboxRow:
    """A row whose id was used before for another signal, as a refused one."""
    raw = canonical_json({"signal": json.loads(row.content), "issued_at": "" if row.at_arrival else row.issued_at})
    content_sha256 = sha256(raw)
    problem = f"id: {row.signal_id!r} stands for another signal (an id belongs to one signal; give it a new one)"
    return row._replace(
        receipt=receipt_id(row.signal_id, row.symbol, content_sha256), kind="refused", content=raw,
        content_sha256=content_sha256, problem=problem,
    )  # fmt: skip


def _signal_of(row: InboxRow, ahead: timedelta) -> Signal:
    """ahead: how far the broker's clock is ahead of ours, by which a signal without a time is shifted."""
    issued_at = utc_of(row.issued_at) + (ahead if row.at_arrival else timedelta(0))
    try:
        if sha256(row.content) != row.content_sha256:
            raise ValueError("its content does not match its hash")
        document = json.loads(row.content) | {"id": row.signal_id, "issued_at": issued_at}
        return _adapter().validate_python(document)
    except ValueError as error:
        raise BadDocument(f"{NAME}: receipt {row.receipt}", f"was altered: {error}", "move the file away") from None


@cache
def _adapter() -> TypeAdapter[Signal]:
    return TypeAdapter(Signal, config=ConfigDict(extra="forbid", allow_inf_nan=False))


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
