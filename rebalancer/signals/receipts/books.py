"""The newest target weights of every source that inserted some: a book. A new book of a source replaces its whole
predecessor; a single alert changes its own symbol only. Books do not age and are not pruned: they hold until they are
replaced, and an empty book withdraws them. A book that is older than the one in force never replaces it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, canonical_json, sha256
from rebalancer.core.facts import Signal
from rebalancer.core.values import decimal_of, text_of, time_text, utc_of
from rebalancer.journal.chain import stamp

TABLE: Final = """CREATE TABLE IF NOT EXISTS target_books (
        source TEXT PRIMARY KEY,
        received_at TEXT NOT NULL,
        complete INTEGER NOT NULL, -- 1: a name that it does not mention is to be closed
        targets TEXT NOT NULL, -- JSON: the target weights
        sha256 TEXT NOT NULL,
        as_of TEXT -- what time the weights are of; NULL in a row of edition 2
    ) WITHOUT ROWID"""
UPGRADE: Final = "ALTER TABLE target_books ADD COLUMN as_of TEXT"  # of edition 2


class OlderBook(ValueError):
    """Target weights that are older than those in force, and that therefore do not replace them."""

    def __init__(self, source: str, as_of: datetime, in_force: datetime) -> None:
        super().__init__(
            f"target: as of {time_text(as_of)}, older than the weights of {source} in force, which are as of "
            f"{time_text(in_force)} (to return to them, send them with a newer time)"
        )
        self.source, self.as_of, self.in_force = source, as_of, in_force


class InsertedBook(NamedTuple):
    """The target weights of one source. `complete`: a name that it does not mention is to be closed. `as_of`: what time
    they are of."""

    source: str
    received_at: datetime
    complete: bool
    targets: tuple[Signal, ...]
    as_of: datetime

    @property
    def sha256(self) -> str:
        """The hash of its target weights, as stored."""
        return sha256(_text(self.targets))


def require_newest(connection: Connection, source: str, as_of: datetime | None) -> None:
    """Raise OlderBook when weights of this time are older than those in force. None: no time was given, so they are as
    new as their arrival."""
    before = book_of(connection, source)
    if before is not None and as_of is not None and as_of < before.as_of:
        raise OlderBook(source, as_of, before.as_of)


def put_book(
    connection: Connection,
    source: str,
    at: datetime,
    as_of: datetime | None,
    targets: Sequence[Signal],
    *,
    complete: bool = False,
) -> None:
    """Store a book in place of its predecessor. at: when it arrived; as_of: as for `require_newest`. Raises OlderBook,
    and then the predecessor stays."""
    require_newest(connection, source, as_of)
    before = book_of(connection, source)
    newest = max(at, before.as_of) if before is not None else at
    _store(connection, InsertedBook(source, at, complete, tuple(targets), newest if as_of is None else as_of))


def merge_into_book(connection: Connection, source: str, at: datetime, signals: Sequence[Signal]) -> None:
    """Change single symbols of a source's book: a target weight is set, a score takes the symbol out of it. What is
    older than the weight of its symbol changes nothing."""
    before = book_of(connection, source)
    if before is None and all(signal.target is None for signal in signals):
        return
    left = {} if before is None else {target.symbol: target for target in before.targets}
    for signal in signals:
        if signal.symbol in left and signal.issued_at < left[signal.symbol].issued_at:
            continue
        left.pop(signal.symbol, None)
        if signal.target is not None:
            left[signal.symbol] = signal
    times = [min(signal.issued_at, at) for signal in signals] + ([before.as_of] if before is not None else [])
    complete = before is not None and before.complete
    _store(connection, InsertedBook(source, at, complete, tuple(left[name] for name in sorted(left)), max(times)))


def _store(connection: Connection, book: InsertedBook) -> None:
    text = _text(book.targets)
    connection.execute(
        "INSERT OR REPLACE INTO target_books (source, received_at, complete, targets, sha256, as_of) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (book.source, stamp(book.received_at), int(book.complete), text, sha256(text), stamp(book.as_of)),
    )


def book_of(connection: Connection, source: str) -> InsertedBook | None:
    """The book of a source; None when it never had one. Raises BadDocument for one that was altered."""
    return next((book for book in all_books(connection) if book.source == source), None)


def all_books(connection: Connection) -> tuple[InsertedBook, ...]:
    """The books of all sources, by name. Raises BadDocument for one that was altered."""
    columns = "source, received_at, complete, targets, sha256, as_of"
    rows = connection.execute(f"SELECT {columns} FROM target_books ORDER BY source")  # noqa: S608 - the names above
    return tuple(_book(*row) for row in rows.fetchall())


def _book(source: str, received_at: str, complete: int, text: str, digest: str, as_of: str | None) -> InsertedBook:
    if sha256(text) != digest:
        raise BadDocument(
            f"target weights of {source}", "were altered: they do not match their hash", "send them again"
        )
    targets = tuple(_target(source, row) for row in json.loads(text))
    received = utc_of(received_at)
    newest = max((target.issued_at for target in targets), default=received)
    return InsertedBook(source, received, bool(complete), targets, newest if as_of is None else utc_of(as_of))


def _text(targets: Sequence[Signal]) -> str:
    return canonical_json([_row(target) for target in targets])


def _row(target: Signal) -> dict[str, str]:
    assert target.target is not None
    row = {
        "id": target.id,
        "symbol": target.symbol,
        "target": text_of(target.target),
        "issued_at": time_text(target.issued_at),
    }
    prices = {"stop_price": target.stop_price, "target_price": target.target_price}
    return row | {name: text_of(price) for name, price in prices.items() if price is not None}


def _target(source: str, row: Mapping[str, Any]) -> Signal:
    stop, goal = (_price(row.get(name)) for name in ("stop_price", "target_price"))
    return Signal.of_target(
        row["id"], row["symbol"], decimal_of(row["target"]), source, utc_of(row["issued_at"]), stop, goal
    )


def _price(text: str | None) -> Decimal | None:
    return None if text is None else decimal_of(text)
