"""The bridge and the contributions of days whose books have prices: reckoned from positions and prices alone.

Nothing is a remainder here but the remainder: what prices, fills and the broker's activities do not explain is told as
unexplained, and must be 0.00.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.performance import bridge as law
from rebalancer.performance.records import CashEvent, CashKind, Fill, ShareEvent
from rebalancer.report.edition.records import Bridge, BridgeLine, Contribution
from rebalancer.session.edition_parts.source import Source
from rebalancer.values import CENT, ZERO
from rebalancer.world.books.day_books import DayBooks

LABELS: Final = {
    "price_moves": "Price moves",
    "dividends": "Dividends",
    "interest": "Interest",
    "fees": "Fees",
    "slippage": "Slippage",
    "other": "Other activities",
    "flows": "Deposits and withdrawals",
}


class Day(NamedTuple):
    """One closed day as the law of the bridge takes it."""

    books: DayBooks
    opening: law.Standing
    closing: law.Standing
    fills: Sequence[Fill]
    shares: Sequence[ShareEvent]


def days_of(source: Source) -> list[Day]:
    """The closed days of the period; none when the books of one of them lack prices."""
    if not all(books.is_priced for books in source.books):
        return []
    return [_day(source, books) for books in source.books]


def bridge_by_prices(source: Source, days: Sequence[Day]) -> Bridge:
    """From the first opening to the last closing, day by day. What lies between the books of two days, because a person
    accepted other ones, has a line of its own."""
    found: dict[str, Decimal] = dict.fromkeys(LABELS, ZERO)
    unexplained, between, before = ZERO, ZERO, days[0].opening.equity
    for day in days:
        part = law.bridge(day.opening, day.closing, day.fills, _cash(day), day.shares, source.ledger.stories)
        for name in found:
            found[name] += getattr(part, name)
        unexplained += part.unexplained
        between += part.opening - before.quantize(CENT)
        before = day.closing.equity
    lines = [BridgeLine(label, found[name]) for name, label in LABELS.items() if found[name] or name == "price_moves"]
    if between:
        lines.append(BridgeLine("Books accepted by a person", between))
    opening, closing = days[0].opening.equity.quantize(CENT), before.quantize(CENT)
    return Bridge(opening, tuple(lines), unexplained, closing, by_prices=True)


def contributions_by_prices(days: Sequence[Day]) -> tuple[Contribution, ...]:
    """Profit or loss of every symbol over the days."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for day in days:
        for symbol, amount in law.contributions(day.opening, day.closing, day.fills, day.shares).items():
            found[symbol] += amount
    return tuple(Contribution(symbol, amount.quantize(CENT)) for symbol, amount in sorted(found.items()))


def _day(source: Source, books: DayBooks) -> Day:
    assert books.opened_at is not None, "priced books know their opening"
    begin, end = books.opened_at, books.closed_at
    before = {symbol: (one.qty, one.price) for symbol, one in (books.opening or {}).items()}
    after = {symbol: (one.qty, books.prices[symbol]) for symbol, one in books.positions.items()}
    return Day(
        books,
        law.Standing(books.opening_equity, before),
        law.Standing(books.closing_equity, after),
        [fill for fill in source.ledger.fills if begin < fill.at <= end],
        [event for event in source.ledger.shares if begin < event.at <= end],
    )


def _cash(day: Day) -> list[CashEvent]:
    """The movements of cash as the books counted them: by what was listed, not by when it is said to have been."""
    books = day.books
    in_kind = sum((event.qty * event.price for event in day.shares if event.kind == "in_kind"), ZERO)
    told: dict[CashKind, Decimal] = {
        "dividend": books.dividends,
        "interest": books.interest,
        "fee": books.fees,
        "other": books.other,
        "flow": books.flows - in_kind,  # which the law counts from the shares
    }
    return [CashEvent(kind, books.closed_at, kind, amount) for kind, amount in told.items() if amount]
