"""The books of one trading day: their records, and how the journal stores them.

Money is US dollars, signed by its effect on the account: fees are negative. Quantities are signed shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from rebalancer.core.documents import plain
from rebalancer.core.values import ZERO, decimal_of, utc_of


class Holding(NamedTuple):
    """One position: signed shares and their average entry price, zero when the broker has not reported it."""

    qty: Decimal
    avg_entry_price: Decimal


class Priced(NamedTuple):
    """One position with its price at that moment: signed shares, USD per share."""

    qty: Decimal
    price: Decimal


class Close(NamedTuple):
    """The benchmark's last trade of the day; "" and zero when it was not requested or did not trade."""

    symbol: str = ""
    price: Decimal = ZERO


class InKind(NamedTuple):
    """Shares transferred in (+) or out (-) without cash: signed shares, and their value at the day's price, signed
    USD."""

    id: str
    symbol: str
    qty: Decimal
    value: Decimal


class Difference(NamedTuple):
    """A discrepancy between two sources about one symbol, or about "cash"; in shares or USD."""

    symbol: str
    expected: Decimal
    found: Decimal
    text: str


class DayBooks(NamedTuple):
    """One day, from one closing of the books to the next.

    `opened_at` is the moment of the opening figures: the previous closing or, without one, this day's first cycle; None
    when neither is known, and then the opening figures are derived and prove nothing. `traded` is the cash that fills
    brought (+) or took (-); `result` the change of equity that no flow explains; `realised` the profit on what was sold
    or bought back against average cost, None when a cost is unknown. `unexplained` is cash that no activity explains:
    it must be zero. `flows` are deposits and withdrawals in cash, plus the value of shares `in_kind`, which is not
    cash. `seen` are the ids of all activities listed at the closing: all have been counted, in these books or earlier;
    `counted` are those added up in these books, whatever their dates (None: older books do not record it).

    `prices` are the last trades of what was held at the closing; `opening` is what was held at the opening with its
    prices then. A symbol without a price is left out of `prices`; books from before prices were kept have none.
    """

    day: date
    opened_at: datetime | None
    closed_at: datetime
    opening_equity: Decimal
    closing_equity: Decimal
    opening_cash: Decimal
    closing_cash: Decimal
    traded: Decimal
    flows: Decimal
    fees: Decimal
    dividends: Decimal
    interest: Decimal
    other: Decimal
    result: Decimal
    realised: Decimal | None
    unexplained: Decimal
    fills: int
    positions: Mapping[str, Holding]
    differences: tuple[Difference, ...]
    seen: tuple[str, ...]
    prices: Mapping[str, Decimal] = {}
    opening: Mapping[str, Priced] | None = None
    benchmark: Close = Close()
    in_kind: tuple[InKind, ...] = ()
    counted: tuple[str, ...] | None = None

    @property
    def is_priced(self) -> bool:
        """Whether everything held had a price at both ends, so that the day's profit can be computed from prices."""
        return self.opened_at is not None and self.opening is not None and self.positions.keys() <= self.prices.keys()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every difference as a sentence; empty when the books are clean."""
        return tuple(f"{d.symbol}: {d.text}" for d in self.differences)


def body_of_day(books: DayBooks) -> dict[str, object]:
    """The books as the body of a `day_closed` event."""
    return {"day": books.day.isoformat(), **{n: plain(getattr(books, n)) for n in DayBooks._fields if n != "day"}}


def day_of_body(body: Mapping[str, Any]) -> DayBooks:
    """The books stored in the body of a `day_closed` event."""
    money = {
        name: decimal_of(body[name])
        for name in (
            "opening_equity", "closing_equity", "opening_cash", "closing_cash", "traded", "flows", "fees", "dividends",
            "interest", "other", "result", "unexplained",
        )
    }  # fmt: skip
    return DayBooks(
        day=date.fromisoformat(body["day"]),
        opened_at=None if body["opened_at"] is None else utc_of(body["opened_at"]),
        closed_at=utc_of(body["closed_at"]),
        realised=None if body["realised"] is None else decimal_of(body["realised"]),
        fills=body["fills"],
        positions={
            symbol: Holding(decimal_of(row["qty"]), decimal_of(row["avg_entry_price"]))
            for symbol, row in body["positions"].items()
        },
        differences=tuple(
            Difference(row["symbol"], decimal_of(row["expected"]), decimal_of(row["found"]), row["text"])
            for row in body["differences"]
        ),
        seen=tuple(body["seen"]),
        prices={symbol: decimal_of(price) for symbol, price in body.get("prices", {}).items()},
        opening=_priced(body.get("opening")),
        benchmark=_close(body.get("benchmark")),
        in_kind=tuple(
            InKind(row["id"], row["symbol"], decimal_of(row["qty"]), decimal_of(row["value"]))
            for row in body.get("in_kind", ())
        ),
        counted=None if body.get("counted") is None else tuple(body["counted"]),
        **money,
    )


def _priced(rows: Mapping[str, Any] | None) -> dict[str, Priced] | None:
    if rows is None:
        return None
    return {symbol: Priced(decimal_of(row["qty"]), decimal_of(row["price"])) for symbol, row in rows.items()}


def _close(row: Mapping[str, Any] | None) -> Close:
    return Close() if row is None else Close(row["symbol"], decimal_of(row["price"]))
