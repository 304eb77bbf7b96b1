"""The inbox: signals that other processes insert, and that the next cycle reads.

An insertion is one transaction that is on disk before it returns, so its receipts can be promised to whoever sent the
signals. Any number of processes may insert; none of them ever makes a cycle wait, because the cycle only reads.
Inserting the same signal again gives the same receipt and changes nothing. Target weights form the book of their source
(`books.py`): the newest book of a source replaces the one before, and an older one is refused.
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

from rebalancer.core.documents import BadDocument, sha256
from rebalancer.core.facts import Signal
from rebalancer.core.values import utc, utc_of
from rebalancer.journal.chain import stamp
from rebalancer.signals.formats.targets import SUM_MAX
from rebalancer.signals.receipts import books, run_requests
from rebalancer.signals.receipts.books import InsertedBook, OlderBook
from rebalancer.signals.receipts.database import SignalDatabase
from rebalancer.signals.receipts.inbox_rows import (
    InboxRow,
    computed_row_id,
    read_row,
    refused_row,
    repeated_row,
    superseded_row,
)
from rebalancer.signals.receipts.run_requests import RunRequest
from rebalancer.signals.signal_row import SOURCE

NAME: Final = "inbox.sqlite"
WAIT_SECONDS: Final = 5.0
KEPT_DAYS: Final = 7  # how long an inserted signal is recognised when it is inserted again
_EDITION: Final = 3  # 1 had neither target weights nor requests, 2 no times of target weights
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
    "CREATE INDEX IF NOT EXISTS ix_inbox_newest ON inbox (source, symbol, n)",
    books.TABLE,
    run_requests.TABLE,
)


class Receipt(NamedTuple):
    """The answer to one row. `problem`: why it is no signal, "" when it is one; a refused row has a receipt too, with
    the outcome REJECTED_INVALID. `is_new`: False when the same row was received before."""

    id: str
    signal_id: str
    symbol: str
    problem: str
    is_new: bool


class SignalInbox:
    """One open inbox. Safe to share between threads, and between processes that each open it."""

    def __init__(self, database: SignalDatabase) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path, wait_seconds: float = WAIT_SECONDS) -> Self:
        """Open an inbox, creating it when missing. wait_seconds: how long to wait for another writer. Raises
        SignalsUnavailable."""
        return cls(SignalDatabase(path, _TABLES, _EDITION, wait_seconds, durable=True, upgrades={2: books.UPGRADE}))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def receive(
        self,
        rows: Sequence[Mapping[str, object]],
        *,
        source: str,
        at: datetime,
        key: str | None = None,
        merge: bool = False,
        repeat_within: timedelta = timedelta(0),
    ) -> tuple[Receipt, ...]:
        """Insert rows, and return one receipt for each, in their order. On disk when this returns.

        rows: with the columns of a signal file (signals/README.md); numbers may be JSON numbers or texts. A row with
        `target`, a signed fraction of what `signals.weights_of` says, has neither score nor confidence; the targets of
        a source in one delivery are its book and replace the one before. When all of them are older than it, by their
        `issued_at`, each is refused in its receipt. source: the source of rows without one. at: aware; when they were
        received, and the issue time of rows without `issued_at`. key: identifies this delivery, so that repeating it
        gives the same receipts. Without it, a row with neither an id nor a time is a new signal each time, unless it
        says what the newest row of its source for its symbol says, and that one was received within `repeat_within`:
        then it is that signal. merge: for single alerts; a target changes the book for its symbol alone, and a score
        takes its symbol out of the book.

        A row that is no signal is refused in its receipt, as is an id that was used for another signal; the other rows
        are inserted. Raises SignalsUnavailable, and then no row is inserted; ValueError for a source that is none.
        """
        read = self._read_all(rows, source, at, key)
        unnamed = [key is None and row.get("id") is None and row.get("issued_at") is None for row in rows]
        since = utc(at) - repeat_within if repeat_within else None
        with self._database.writing() as connection:
            older = {} if merge else _older(connection, read, utc(at))
            receipts = tuple(
                _supersede(connection, row, older[signal.source])
                if signal is not None and signal.target is not None and signal.source in older
                else (_said_before(connection, row, since) if is_unnamed else None) or _insert(connection, row)
                for (row, signal), is_unnamed in zip(read, unnamed, strict=True)
            )
            given: dict[str, list[Signal]] = {}
            for receipt, (_, signal) in zip(receipts, read, strict=True):
                if signal is not None and not receipt.problem and (receipt.is_new or not merge):
                    given.setdefault(signal.source, []).append(signal)
            for name, signals in given.items():
                if merge:
                    books.merge_into_book(connection, name, utc(at), signals)
                elif targets := tuple(signal for signal in signals if signal.target is not None):
                    books.put_book(connection, name, utc(at), _as_of(read, name, utc(at)), targets)
            return receipts

    def receive_book(
        self,
        rows: Sequence[Mapping[str, object]],
        *,
        source: str,
        at: datetime,
        complete: bool = False,
        as_of: datetime | None = None,
    ) -> tuple[Receipt, ...]:
        """Replace the whole book of one source, all or nothing, and return a receipt for each row, in their order.

        rows: with `symbol` and `target`. complete: a name that it does not mention is to be closed; otherwise it only
        loses its target. No rows withdraw the book. as_of: aware; what time the book is of; None: the newest
        `issued_at` of its rows, or its arrival. Raises OlderBook when a newer one is in force, ValueError when a row is
        no target weight of this source or has been used otherwise, and SignalsUnavailable; then the book before it
        stays.
        """
        read = self._read_all(rows, source, at, None)
        with self._database.writing() as connection:
            receipts = tuple(_insert(connection, row) for row, _ in read)
            targets = [signal for _, signal in read if signal is not None]
            wrong = next((receipt.problem for receipt in receipts if receipt.problem), "")
            if wrong or any(signal.target is None or signal.source != source for signal in targets):
                raise ValueError(wrong or "every row needs a target, and the source of the book")
            time = _as_of(read, source, utc(at)) if as_of is None else min(utc(as_of), utc(at))
            books.put_book(connection, source, utc(at), time, targets, complete=complete)
            return receipts

    def books(self) -> tuple[InsertedBook, ...]:
        """The present target weights of every source, by name. Raises SignalsUnavailable, and BadDocument for a book
        that was altered."""
        with self._database.reading() as connection:
            return books.all_books(connection)

    def ask_for_run(self, symbol: str, signal_id: str, at: datetime) -> None:
        """Ask the running session for one extra cycle of this symbol; at: aware, by the machine's clock."""
        with self._database.writing() as connection:
            run_requests.add_request(connection, symbol, signal_id, utc(at))

    def run_requests(self, after: int, now: datetime) -> tuple[RunRequest, ...]:
        """The requests after a number that are still fresh, oldest first."""
        with self._database.reading() as connection:
            return run_requests.requests_after(connection, after, utc(now))

    def inserted(self, name: str) -> InboxRow | None:
        """The row with this receipt, or with this signal id; None when there is none."""
        fields = ", ".join(InboxRow._fields)
        with self._database.reading() as connection:
            found = connection.execute(
                f"SELECT {fields} FROM inbox WHERE receipt = :name OR signal_id = :name "  # noqa: S608  constants only
                "ORDER BY receipt = :name DESC, n DESC LIMIT 1",
                {"name": name},
            ).fetchone()
        return None if found is None else InboxRow._make(found)

    def _read_all(
        self, rows: Sequence[Mapping[str, object]], source: str, at: datetime, key: str | None
    ) -> list[tuple[InboxRow, Signal | None]]:
        if SOURCE.fullmatch(source) is None:
            raise ValueError(f"{source[:40]!r} cannot be a source: use letters, digits, dots, dashes, underscores")
        whole = sha256(json.dumps([dict(row) for row in rows if row.get("target") is not None], default=str))
        read = [
            read_row(row, source, utc(at), None if key is None else computed_row_id(source, key, i), whole)
            for i, row in enumerate(rows)
        ]
        if sum(abs(signal.target) for _, signal in read if signal is not None and signal.target is not None) <= SUM_MAX:
            return read
        problem = f"target: the weights sum to more than {SUM_MAX}: percent?"
        return [
            (found, signal)
            if signal is None or signal.target is None
            else (refused_row(row, source, utc(at), problem), None)
            for row, (found, signal) in zip(rows, read, strict=True)
        ]

    def current(self, now: datetime, wall: datetime, age: timedelta) -> tuple[Signal, ...]:
        """The newest score of each source and symbol, if it was issued within `age`; sorted by symbol, source and id.
        Target weights: see `books`.

        now: the broker's time. wall: the machine's time, which dates signals that came without one. Older signals of
        the same source and symbol are replaced by the newest and never reach a plan. Raises SignalsUnavailable, and
        BadDocument for a row that was altered.
        """
        newest = (
            "SELECT *, row_number() OVER (PARTITION BY source, symbol ORDER BY issued_at DESC, n DESC) AS place "
            "FROM inbox WHERE problem = '' AND kind != 'target' "
            "AND issued_at >= CASE at_arrival WHEN 1 THEN :wall ELSE :now END"
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


def _as_of(read: Sequence[tuple[InboxRow, Signal | None]], source: str, at: datetime) -> datetime | None:
    """What time the target weights of a source in one delivery are of, not after its arrival; None when no row gives
    one."""
    mine = [(row, s) for row, s in read if s is not None and s.target is not None and s.source == source]
    return None if all(row.at_arrival for row, _ in mine) else min(at, max(signal.issued_at for _, signal in mine))


def _older(
    connection: Connection, read: Sequence[tuple[InboxRow, Signal | None]], at: datetime
) -> dict[str, OlderBook]:
    """The sources whose target weights in this delivery are older than those in force."""
    found = {}
    for source in {signal.source for _, signal in read if signal is not None and signal.target is not None}:
        try:
            books.require_newest(connection, source, _as_of(read, source, at))
        except OlderBook as error:
            found[source] = error
    return found


def _supersede(connection: Connection, row: InboxRow, error: OlderBook) -> Receipt:
    """The receipt of a target weight that came too late: its own when it was received before, else a refused one."""
    known = connection.execute("SELECT 1 FROM inbox WHERE receipt = ?", (row.receipt,)).fetchone()
    if known is not None:
        return Receipt(row.receipt, row.signal_id, row.symbol, str(error), is_new=False)
    return _insert(connection, superseded_row(row, str(error)))


def _said_before(connection: Connection, row: InboxRow, since: datetime | None) -> Receipt | None:
    """The receipt of the newest row of this source and symbol, if it says the same and was received since then."""
    if since is None or row.problem or row.kind == "target":
        return None
    newest = connection.execute(
        "SELECT receipt, signal_id, content_sha256, at_arrival, received_at FROM inbox "
        "WHERE source = ? AND symbol = ? AND problem = '' AND kind != 'target' ORDER BY n DESC LIMIT 1",
        (row.source, row.symbol),
    ).fetchone()
    if newest is None or newest[2:4] != (row.content_sha256, 1) or newest[4] < stamp(since):
        return None
    return Receipt(newest[0], newest[1], row.symbol, "", is_new=False)


def _insert(connection: Connection, row: InboxRow) -> Receipt:
    if not row.problem:
        same = "SELECT receipt, at_arrival, issued_at FROM inbox WHERE signal_id = ? AND problem = ''"
        known = connection.execute(same, (row.signal_id,)).fetchone()
        if known is not None:
            is_same = known[0] == row.receipt and (known[1], row.at_arrival) == (1, 1)
            if is_same or known == (row.receipt, row.at_arrival, row.issued_at):
                return Receipt(row.receipt, row.signal_id, row.symbol, "", is_new=False)
            row = repeated_row(row)
    values = ", ".join("?" * (len(InboxRow._fields) - 1))
    names = ", ".join(InboxRow._fields[1:])
    added = connection.execute(f"INSERT OR IGNORE INTO inbox ({names}) VALUES ({values})", row[1:])  # noqa: S608
    return Receipt(row.receipt, row.signal_id, row.symbol, row.problem, is_new=added.rowcount == 1)


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
