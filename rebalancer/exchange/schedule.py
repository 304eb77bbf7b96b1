"""What shall happen on which day: dividends, splits, halts and changes of borrowing, from a file or the admin port.

A file is YAML or JSON with lists of these names; dates are days in New York, times RFC 3339:

    dividends: [{symbol: KO, ex_date: 2026-12-01, pay_date: 2026-12-15, rate: "0.51"}]
    splits:    [{symbol: NVDA, ex_date: 2027-01-11, new: 4, old: 1}]
    halts:     [{symbol: AAPL, start: "2026-12-02T16:00:00Z", end: "2026-12-02T16:30:00Z"}]
    borrowing: [{symbol: NKE, from: 2026-12-03, status: hard_to_borrow}]

A state that has had the file before takes only what is new in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.exchange.borrow_plan import BorrowChange
from rebalancer.exchange.borrowing import schedule_borrowing
from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.halting import schedule_halt
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.parameters import read_moment
from rebalancer.exchange.yaml_file import Place, Where, read_yaml

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange


class Dividend(NamedTuple):
    """A cash dividend, USD a share."""

    symbol: str
    ex_date: date
    pay_date: date
    rate: Decimal


class Split(NamedTuple):
    """A split of `old` shares into `new` ones."""

    symbol: str
    ex_date: date
    new: int
    old: int


Item = Dividend | Split | Halt | BorrowChange
Scheduled = tuple[str, Item]  # where it stands, and what it is


def read_schedule_file(path: Path) -> list[Scheduled]:
    """Read a file. Raises BadDocument that names file, line and key."""
    document, where = read_yaml(path, as_text=True)
    if not isinstance(document, dict):
        raise BadDocument(str(path), "is not an object with lists", f"of {', '.join(_READERS)}")
    found: list[Scheduled] = []
    for name, rows in document.items():
        if name not in _READERS:
            raise BadDocument(where((str(name),)), "is not known here", f"one of {', '.join(_READERS)}")
        if not isinstance(rows, list):
            raise BadDocument(where((name,)), "is not a list")
        for number, row in enumerate(rows):
            place = (name, number)
            found.append((where(place), read_item(name, row, place, where)))
    return found


def read_item(name: str, row: object, place: Place, where: Where) -> Item:
    """One row of a list, checked for its form. Raises BadDocument."""
    keys, read = _READERS[name]
    if not isinstance(row, Mapping):
        raise BadDocument(where(place), "is not an object with keys", f"such as {', '.join(keys)}")
    for key in row:
        if key not in keys:
            raise BadDocument(where((*place, str(key))), "is not known here", f"one of {', '.join(keys)}")
    for key in keys:
        if key not in row:
            raise BadDocument(where((*place, key)), "is missing")
    return read(_Row(row, place, where))


def apply_schedule(exchange: Exchange, rows: list[Scheduled], *, fresh: bool) -> None:
    """Announce what a file says. Raises BadDocument for what is impossible, or too late for a fresh state."""
    for where, item in rows:
        if not _is_known(exchange, item, fresh=fresh):
            try:
                announce(exchange, item)
            except ValueError as error:
                raise BadDocument(where, str(error)) from None


def announce(exchange: Exchange, item: Item) -> None:
    """Put one thing on the exchange's schedule. Raises ValueError when it makes no sense or comes too late."""
    match item:
        case Dividend():
            announce_dividend(exchange, *item)
        case Split():
            announce_split(exchange, *item)
        case Halt():
            schedule_halt(exchange, item)
        case BorrowChange():
            schedule_borrowing(exchange, item)


def _is_known(exchange: Exchange, item: Item, *, fresh: bool) -> bool:
    """Whether a state has had this item before; of what is over, an old state had it."""
    match item:
        case Dividend() | Split():
            day = item.ex_date.toordinal()
            kind = "dividend" if isinstance(item, Dividend) else "split"
            known = {(action.symbol, action.ex_day, action.kind) for action in exchange.announced}
            return (item.symbol, day, kind) in known
        case Halt():
            return item in exchange.store.halts() or (not fresh and item.start <= exchange.clock.micros())
        case BorrowChange():
            return item in exchange.borrowing.changes


class _Row:
    """One row's values with their places."""

    def __init__(self, row: Mapping[str, Any], place: Place, where: Where) -> None:
        self._row, self._place, self._where = row, place, where

    def text(self, key: str) -> str:
        return str(self._row[key])

    def day(self, key: str) -> date:
        try:
            return date.fromisoformat(self.text(key))
        except ValueError:
            raise self.wrong(key, "a date such as 2026-12-01") from None

    def moment(self, key: str) -> int:
        found = read_moment(self.text(key))
        if found is None:
            raise self.wrong(key, "a time such as 2026-12-01T16:00:00Z")
        return found

    def amount(self, key: str) -> Decimal:
        try:
            found = Decimal(self.text(key))
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite():
            raise self.wrong(key, "an amount such as 0.51")
        return found

    def count(self, key: str) -> int:
        text = self.text(key)
        if not (text.isascii() and text.isdigit() and len(text) < 5):
            raise self.wrong(key, "a whole number such as 4")
        return int(text)

    def wrong(self, key: str, wanted: str) -> BadDocument:
        return BadDocument(self._where((*self._place, key)), f"{self.text(key)[:40]!r} is not {wanted}")


def _dividend(row: _Row) -> Dividend:
    return Dividend(row.text("symbol"), row.day("ex_date"), row.day("pay_date"), row.amount("rate"))


def _split(row: _Row) -> Split:
    return Split(row.text("symbol"), row.day("ex_date"), row.count("new"), row.count("old"))


def _halt(row: _Row) -> Halt:
    return Halt(row.text("symbol"), row.moment("start"), row.moment("end"))


def _borrow(row: _Row) -> BorrowChange:
    status = row.text("status")
    if status not in ("easy_to_borrow", "hard_to_borrow"):
        raise row.wrong("status", "easy_to_borrow or hard_to_borrow")
    return BorrowChange(row.day("from").toordinal(), row.text("symbol"), status == "easy_to_borrow")


_READERS: Final[dict[str, tuple[tuple[str, ...], Callable[[_Row], Item]]]] = {
    "dividends": (("symbol", "ex_date", "pay_date", "rate"), _dividend),
    "splits": (("symbol", "ex_date", "new", "old"), _split),
    "halts": (("symbol", "start", "end"), _halt),
    "borrowing": (("symbol", "from", "status"), _borrow),
}
