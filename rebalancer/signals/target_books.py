"""The target weights of every source, remembered: they hold until the source gives others, also when its file is gone.

A real run records the book of a source in the journal whenever it differs from the recorded one; a dry run records
nothing. A file that is there replaces everything that its sources said before, with whatever it holds now. The weights
of a source whose file is gone hold on for every symbol that no file gives a weight. An empty book (`# rows: 0`)
withdraws them. A file that says what time its weights are of, and is older than the weights in force, is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.core.values import decimal_of, text_of, time_text, utc_of
from rebalancer.journal import Journal

KIND: Final = "target_book"

_log = logging.getLogger("rebalancer.world.signals.target_books")


class _TargetBook(NamedTuple):
    """The target weights of one source, the name of the file that they stood in, without its ending, and the last time
    that a file of the source gave."""

    file: str
    targets: tuple[Signal, ...]
    as_of: datetime | None = None


class TargetBooks:
    """The books of one account. records: changes are written to the journal."""

    def __init__(self, journal: Journal, account_id: str, *, records: bool) -> None:
        self._journal, self._account_id, self._records = journal, account_id, records
        self._books: dict[str, _TargetBook] | None = None
        self._missed: set[str] = set()

    def kept(
        self,
        signals: tuple[Signal, ...],
        files: Mapping[str, str],
        now: datetime,
        dates: Mapping[str, datetime] = MappingProxyType({}),
    ) -> tuple[Signal, ...]:
        """The target weights of sources whose files are gone, after recording what the files say now.

        signals: all that was read; files: the file of every source that was read, also of those without target weights;
        dates: the time that this file gives, where it gives one. Raises BadDocument for a file that is older than the
        weights in force; nothing is recorded then.
        """
        if not self._account_id:
            return ()
        books = self._recalled()
        given: dict[str, list[Signal]] = {}
        for signal in signals:
            if signal.target is not None and signal.source in files:
                given.setdefault(signal.source, []).append(signal)
        there = set(files.values())
        present = {source for source, book in books.items() if source in files or book.file in there}
        changed = {}
        for source in sorted(present | given.keys()):
            before = books.get(source)
            file = files.get(source, "" if before is None else before.file)
            as_of = dates.get(source, None if before is None else before.as_of)
            book = _TargetBook(file, tuple(given.get(source, ())), as_of)
            if _content(book) != _content(before or _TargetBook(file, ())):
                _refuse_older(source, book, before)
                changed[source] = book
        for source, book in changed.items():
            books[source] = book
            self._record(source, book, now)
        aimed = {signal.symbol for signal in signals if signal.target is not None}
        gone = {source: book for source, book in books.items() if source not in present and source not in given}
        self._say({source for source, book in gone.items() if book.targets}, books)
        return tuple(t for _, book in sorted(gone.items()) for t in book.targets if t.symbol not in aimed)

    def _recalled(self) -> dict[str, _TargetBook]:
        if self._books is None:
            events = self._journal.newest_of_each(KIND, self._account_id)
            self._books = {event.key: _book_of(event.key, event.body) for event in events if event.key is not None}
        return self._books

    def _record(self, source: str, book: _TargetBook, now: datetime) -> None:
        if self._records:
            body: dict[str, Any] = {"file": book.file, "targets": [_row(target) for target in book.targets]}
            if book.as_of is not None:
                body["as_of"] = time_text(book.as_of)
            self._journal.record_event(self._account_id, None, now, KIND, source, body)

    def _say(self, gone: set[str], books: Mapping[str, _TargetBook]) -> None:
        for source in sorted(gone - self._missed):
            book = books[source]
            _log.warning(
                "the file of %s is gone: its %d target weights hold until it is back; "
                "a file with '# rows: 0' withdraws them",
                source,
                len(book.targets),
            )
        self._missed = gone


def _refuse_older(source: str, book: _TargetBook, before: _TargetBook | None) -> None:
    if before is None or book.as_of is None or before.as_of is None or book.as_of >= before.as_of:
        return
    raise BadDocument(
        f"{book.file}: as_of",
        f"{time_text(book.as_of)} is older than the weights of {source} in force, which are as of "
        f"{time_text(before.as_of)}",
        "put the newer file back; to return to these weights, give them a newer time",
    )


def _content(book: _TargetBook) -> list[tuple[object, ...]]:
    """What makes two books differ; a file that was only saved again is the same book."""
    return [(t.id, t.symbol, t.target, t.stop_price, t.target_price) for t in book.targets]


def _row(target: Signal) -> dict[str, object]:
    assert target.target is not None
    row: dict[str, object] = {
        "id": target.id,
        "symbol": target.symbol,
        "target": text_of(target.target),
        "issued_at": time_text(target.issued_at),
    }
    prices = {"stop_price": target.stop_price, "target_price": target.target_price}
    return row | {name: text_of(price) for name, price in prices.items() if price is not None}


def _book_of(source: str, body: Mapping[str, Any]) -> _TargetBook:
    return _TargetBook(
        body["file"],
        tuple(
            Signal.of_target(
                row["id"], row["symbol"], decimal_of(row["target"]), source, utc_of(row["issued_at"]),
                _price(row.get("stop_price")), _price(row.get("target_price")),
            )
            for row in body["targets"]
        ),
        utc_of(body["as_of"]) if "as_of" in body else None,
    )  # fmt: skip


def _price(text: str | None) -> Decimal | None:
    return None if text is None else decimal_of(text)
