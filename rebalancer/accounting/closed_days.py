"""Prepare closed daily books for the profit bridge: holdings at both ends, and all movements in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from rebalancer.accounting.day_books import DayBooks, day_of_body
from rebalancer.core.values import CENT, ZERO
from rebalancer.journal.journal import Journal
from rebalancer.performance import bridge as law
from rebalancer.performance.lots import match_lots
from rebalancer.performance.period_bridge import DayParts, PeriodBridge, period_bridge
from rebalancer.performance.records import AccountHistory, CashEvent, CashKind, Fill, LotMethod, ShareEvent


class ClosedDay(NamedTuple):
    """One day whose books have prices, with all movements between opening and closing."""

    books: DayBooks
    opening: law.Valuation
    closing: law.Valuation
    fills: Sequence[Fill]
    cash: Sequence[CashEvent]
    shares: Sequence[ShareEvent]


def closed_day(ledger: AccountHistory, books: DayBooks) -> ClosedDay:
    """The day of books that have prices. Activities belong to the day whose books counted them, whatever their dates;
    for older books, which do not list what they counted, fills and corporate actions are assigned by time."""
    assert books.opened_at is not None, "priced books know their opening"
    begin, end = books.opened_at, books.closed_at
    before = {symbol: (one.qty, one.price) for symbol, one in (books.opening or {}).items()}
    after = {symbol: (one.qty, books.prices[symbol]) for symbol, one in books.positions.items()}
    amounts: dict[CashKind, Decimal] = {
        "dividend": books.dividends,
        "interest": books.interest,
        "fee": books.fees,
        "other": books.other,
        "flow": books.flows - sum((one.value for one in books.in_kind), ZERO),  # in-kind value comes from the shares
    }
    in_kind = (ShareEvent(x.id, end, x.symbol, x.qty, "in_kind", x.value / x.qty) for x in books.in_kind)
    ids = None if books.counted is None else frozenset(books.counted)

    def is_of_the_day(row: Fill | ShareEvent) -> bool:
        return begin < row.at <= end if ids is None else row.id in ids

    others = (event for event in ledger.shares if event.kind not in ("in_kind", "coin_fee") and is_of_the_day(event))
    coins = (event for event in ledger.shares if event.kind == "coin_fee" and begin < event.at <= end)
    return ClosedDay(
        books,
        law.Valuation(books.opening_equity, before),
        law.Valuation(books.closing_equity, after),
        [fill for fill in ledger.fills if is_of_the_day(fill)],
        [CashEvent(kind, end, kind, amount) for kind, amount in amounts.items() if amount],
        [*others, *coins, *in_kind],
    )


def bridge_of(
    journal: Journal,
    account_id: str,
    ledger: AccountHistory,
    method: LotMethod,
    after: date | None = None,
    expected: Iterable[date] = (),
) -> PeriodBridge | None:
    """The profit bridge of the closed days after a day (None: all since the books began); None when there is no such
    day.

    expected: the trading days of the period. Raises KeyError or ValueError for books that cannot be read.
    """
    accepted = journal.recall(account_id, "books_accepted", last=1)
    begun = accepted[0].seq if accepted else 0
    books = [day_of_body(e.body) for e in journal.recall(account_id, "day_closed") if e.seq > begun]
    own = [one for one in books if one.opened_at is not None and (after is None or one.day > after)]
    closings = match_lots((*ledger.inherited, *ledger.fills), ledger.shares, method).closings
    return period_bridge([day_parts(ledger, one) for one in own], closings, expected)


def day_parts(ledger: AccountHistory, books: DayBooks) -> DayParts:
    """One day of books with a known opening, in whole cents; without prices, price moves are the remainder and
    contain the slippage."""
    assert books.opened_at is not None, "books of a derived opening prove nothing"
    if books.is_priced:
        day = closed_day(ledger, books)
        found = law.bridge(day.opening, day.closing, day.fills, day.cash, day.shares, ledger.order_histories)
    else:
        found = law.bridge_by_remainder(
            books.opening_equity.quantize(CENT),
            books.closing_equity.quantize(CENT),
            dividends=books.dividends.quantize(CENT),
            interest=books.interest.quantize(CENT),
            fees=books.fees.quantize(CENT),
            other=books.other.quantize(CENT),
            flows=books.flows.quantize(CENT),
            unexplained=books.unexplained,
        )
    return DayParts(books.day, books.opened_at, books.closed_at, found, books.is_priced)
