"""The books of one trading day, as they are computed, kept in the journal and read back.

Money is US dollars, signed as it moved the account: fees are negative. Quantities are signed shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from rebalancer.documents import plain
from rebalancer.values import ZERO, decimal_of, utc_of


class Holding(NamedTuple):
    """One position: signed shares and their average entry price, zero when the broker has not told it."""

    qty: Decimal
    avg_entry_price: Decimal


class Difference(NamedTuple):
    """Something that two books say differently about one symbol, or about "cash"; shares or USD."""

    symbol: str
    expected: Decimal
    found: Decimal
    text: str


class DayBooks(NamedTuple):
    """One day, from one closing of the books to the next.

    `opened_at` is the moment of the opening figures: the closing before, or this day's first cycle when there is none;
    None when neither is known, and then the opening figures are derived and prove nothing. `traded` is the cash that
    fills brought (+) or took (-); `result` the change of equity that no flow explains; `realised` the profit of what
    was sold or bought back against average cost, None when a cost is not known. `unexplained` is cash that no activity
    explains: it must be zero. `seen` are the ids of all activities that have been counted by now.
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

    @property
    def is_clean(self) -> bool:
        """Whether the broker's activities, its account and our journal agree, to the cent and to the share."""
        return self.unexplained == ZERO and not self.differences

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every difference in words; none when the books are clean."""
        return tuple(f"{d.symbol}: {d.text}" for d in self.differences)


def body_of_day(books: DayBooks) -> dict[str, object]:
    """The books as the body of a `day_closed` event."""
    return {"day": books.day.isoformat(), **{n: plain(getattr(books, n)) for n in DayBooks._fields if n != "day"}}


def day_of_body(body: Mapping[str, Any]) -> DayBooks:
    """The books that a `day_closed` event tells."""
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
        **money,
    )
