"""What the account was and is worth, the bridge between the two, and what each symbol gained or lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.accounting.closed_days import closed_day, day_parts
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import CENT, ZERO, decimal_of
from rebalancer.performance.bridge import Bridge, Valuation, bridge_by_remainder, sum_of
from rebalancer.performance.bridge import contributions as moves_of
from rebalancer.report.allocation import known_prices
from rebalancer.report.archive import kept_record
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.results import BridgeLine, BridgeSection, ClosedBooks, Contribution
from rebalancer.report.records import RunRecord

LABELS: Final = {
    "price_moves": "Price moves",
    "dividends": "Dividends",
    "interest": "Interest",
    "fees": "Fees",
    "slippage": "Slippage",
    "other": "Other activities",
    "flows": "Deposits and withdrawals",
    "accepted": "Books accepted by a person",
}


class Money(NamedTuple):
    """USD; None is "not known". `flows` are the deposits and withdrawals between `before` and `equity`, `mark` is the
    high-water mark at the end."""

    equity: Decimal | None = None
    before: Decimal | None = None
    cash: Decimal | None = None
    flows: Decimal = ZERO
    mark: Decimal | None = None


def money(source: Source) -> Money:
    """As the performance of the period has it: closed days first; for a day that is still open, its last reading. When
    the history cannot be read, from the closed days or the last cycle alone."""
    if source.summary is not None and source.summary.last is not None:
        own, last = source.summary.money, source.ledger.days[-1]
        return Money(own.closing, own.opening, last.cash, own.flows, source.summary.mark)
    if source.books:
        closed, flows = source.books[-1], sum((books.flows for books in source.books), ZERO)
        return Money(closed.closing_equity, source.books[0].opening_equity, closed.closing_cash, flows)
    if not source.own or source.latest is None:
        return Money()
    recorded = source.journal.events(source.own[-1].cycle_id, kind="account", account_id=source.account_id)
    first = source.latest.snapshot.account
    if not recorded:
        return Money(first.equity, first.last_equity, first.cash)
    body = recorded[-1].body
    return Money(decimal_of(body["equity"]), decimal_of(body["last_equity"]), decimal_of(body["cash"]))


def counted_from(source: Source) -> datetime | None:
    """The moment with which the records began, when it lies within the period."""
    opened = source.ledger.opened_on
    if opened is None or not source.span.first <= opened <= source.span.last:
        return None
    planned = (cycle.started_at for cycle in reversed(source.cycles) if cycle.plan_sha256)
    return next((at for at in planned if day_in_new_york(at) == opened), None)


def bridge(source: Source) -> BridgeSection | None:
    """From the first opening to the last closing. None without a closed day: an open day proves nothing.

    With prices for every day, nothing is a balancing item: what prices, fills and the broker's activities do not
    explain is `unexplained` and must be 0.00. Days closed by older versions compare cash and shares with the broker's
    activities, and price moves are the remainder once all else is known.
    """
    books = source.books
    if not books or books[0].opened_at is None:
        return None
    if all(one.is_priced for one in books):
        return section_of(sum_of([day_parts(source.ledger, one).bridge for one in books]), by_prices=True)

    def total(name: str) -> Decimal:
        return sum((getattr(b, name) for b in books), ZERO)

    costs = [cost for r in source.records for cost in (line.slippage for line in r.orders) if cost is not None]
    whole = bridge_by_remainder(
        books[0].opening_equity,
        books[-1].closing_equity,
        dividends=total("dividends"),
        interest=total("interest"),
        fees=total("fees"),
        other=total("other"),
        flows=total("flows"),
        unexplained=total("unexplained"),
        slippage=-sum(costs, ZERO).quantize(CENT),
    )
    return section_of(whole, by_prices=False)


def section_of(whole: Bridge, *, by_prices: bool) -> BridgeSection:
    """The bridge as labelled lines; of the parts that are zero only the price moves are shown."""
    amounts = {label: getattr(whole, name) for name, label in LABELS.items()}
    lines = (BridgeLine(label, x) for label, x in amounts.items() if x or label == LABELS["price_moves"])
    return BridgeSection(whole.opening, tuple(lines), whole.unexplained, whole.closing, by_prices)


def closed_books(source: Source) -> tuple[ClosedBooks, ...]:
    """The days of the period that were closed."""
    return tuple(ClosedBooks(b.day, b.closed_at, b.fills, b.sentences) for b in source.books)


class Begun(NamedTuple):
    """The positions when the period began: signed shares, and prices of that time."""

    at: datetime
    held: Mapping[str, Decimal]
    prices: Mapping[str, Decimal]


def contributions(source: Source) -> tuple[Contribution, ...]:
    """Profit or loss of every symbol over the period: at the prices of the closed days, else at the prices that the
    last cycle read, in which case a symbol without a price at either end is left out."""
    if source.closing is not None and source.books and all(books.is_priced for books in source.books):
        return _contributions_by_prices(source)
    latest, begun = source.latest, _begun(source)
    if latest is None or begun is None:
        return ()
    end = source.closing.closed_at if source.closing is not None else source.span.ends
    fills = [f for f in source.ledger.fills if begun.at < f.at <= end]
    shares = [s for s in source.ledger.shares if begun.at < s.at <= end]
    prices_now = known_prices(latest)
    held = dict(begun.held)
    for symbol, qty in source.shares_between(begun.at, end):
        held[symbol] = held.get(symbol, ZERO) + qty
    priced = {s for s in held if (s in begun.prices or not begun.held.get(s)) and (s in prices_now or not held[s])}
    opening = Valuation(ZERO, {s: (begun.held[s], begun.prices[s]) for s in priced if begun.held.get(s)})
    closing = Valuation(ZERO, {s: (held[s], prices_now[s]) for s in priced if held[s]})
    found = moves_of(
        opening, closing, [f for f in fills if f.symbol in priced], [s for s in shares if s.symbol in priced]
    )
    return tuple(Contribution(symbol, amount.quantize(CENT)) for symbol, amount in found.items())


def _contributions_by_prices(source: Source) -> tuple[Contribution, ...]:
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for books in source.books:
        day = closed_day(source.ledger, books)
        for symbol, amount in moves_of(day.opening, day.closing, day.fills, day.shares).items():
            found[symbol] += amount
    return tuple(Contribution(symbol, amount.quantize(CENT)) for symbol, amount in sorted(found.items()))


def _begun(source: Source) -> Begun | None:
    """The last cycle before the period with the day closed after it, else the first cycle of the period."""
    before = _planned_before(source)
    if before is None:
        first = next((c for c in source.own if c.plan_sha256), None)
        record = None if first is None else kept_record(source.journal, first.cycle_id)
        if record is None:
            return None
        held = {p.symbol: p.qty for p in record.snapshot.positions}
        return Begun(record.snapshot.as_of, held, known_prices(record))
    at = before.snapshot.as_of
    held = {p.symbol: p.qty for p in before.snapshot.positions}
    for symbol, qty in source.shares_between(at, source.span.begins):
        held[symbol] = held.get(symbol, ZERO) + qty
    return Begun(source.span.begins, held, known_prices(before))


def _planned_before(source: Source) -> RunRecord | None:
    cycle = next((c for c in source.cycles if c.started_at < source.span.begins and c.plan_sha256), None)
    return None if cycle is None else kept_record(source.journal, cycle.cycle_id)
