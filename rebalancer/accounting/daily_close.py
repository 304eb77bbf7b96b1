"""Close the books of a day, from the broker's account activities alone.

1. The opening is the previous closing or, without one, what this day's first cycle read.
2. Activities since then are added up, whoever caused them.
3. The resulting positions and cash are compared with the broker's, to the share and to the cent.
4. Our journal's record of our own orders is compared with the broker's fills of them.
5. The day is recorded once, and every difference becomes an alert for a person.

This module uses no code from planning, sending or reconciliation, so it cannot share their mistakes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.accounting.activities import (
    IN_KIND,
    LOOK_BACK,
    ActivitiesRead,
    flow_of,
    moment_of,
    note_activities,
    read_activities,
    row_of_flow,
    values_in_kind,
)
from rebalancer.accounting.activity_totals import ActivityTotals, total_activities
from rebalancer.accounting.closing_prices import ClosingPrices, explain, last_trades, priced, read_prices
from rebalancer.accounting.day_books import DayBooks, Difference, Holding, body_of_day, day_of_body
from rebalancer.brokers.protocol import Activity, BrokerFill, ReadBroker
from rebalancer.core.codec import stored_snapshot
from rebalancer.core.errors import BrokerUnavailable, WrongAccount
from rebalancer.core.facts import Account, Position
from rebalancer.core.new_york import NEW_YORK, day_in_new_york
from rebalancer.core.values import CENT, ZERO, text_of
from rebalancer.journal.alert_row import alert_row
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import OrderRecord

READINGS: Final = 3
PRICE_STEP: Final = Decimal("0.0001")  # the precision of reported average prices
DAYS_SEEN: Final = 5


class Opening(NamedTuple):
    """The opening figures of the day. `seen` are the ids of activities that they already include, as far as these may
    be listed again (None: no previous closing, so activity times decide); `prices` are those at the opening."""

    at: datetime | None
    cash: Decimal
    equity: Decimal
    positions: Mapping[str, Holding]
    seen: frozenset[str] | None
    prices: Mapping[str, Decimal] = {}


def check_day(broker: ReadBroker, journal: Journal, account_id: str, day: date, *, benchmark: str = "") -> DayBooks:
    """Close the books of a trading day (its date in New York), after its session. A day is closed only once; for a
    closed day, the stored books are returned.

    benchmark: a symbol whose last trade is kept with the prices of what is held. Raises WrongAccount, BrokerUnavailable
    (also when the account keeps changing) or JournalBroken; nothing has been written then.
    """
    done = journal.recall(account_id, "day_closed", keys=[day.isoformat()])
    if done:
        return day_of_body(done[-1].body)
    opening = _opening(journal, account_id, day)
    account, positions, read, prices = _standing(broker, journal, account_id, opening, benchmark, day)
    fills, others = _since(opening, read)
    if opening is None:
        opening = _derived(account, positions, fills, others)
    known = values_in_kind(journal, account_id)
    values = {one.id: known.get(one.id, flow_of(one, prices.moved)) for one in others if one.type in IN_KIND}
    added = total_activities(opening.positions, fills, others, values, broker.venue)
    books = _books(day, opening, account, positions, added, read, len(fills), broker.venue.crypto_fee_max)
    ours = _our_orders(journal, account_id, opening.at or read.at - timedelta(days=1))
    books = books._replace(
        differences=(*books.differences, *_our_fills(ours, read.fills)),
        prices=prices.held,
        opening=None if opening.at is None else priced(opening.positions, opening.prices),
        benchmark=prices.benchmark,
        counted=tuple(sorted([*(fill.id for fill in fills), *(one.id for one in others)])),
    )
    note_activities(journal, account_id, None, read, (), prices.moved)
    written = known.keys() | (frozenset() if read.is_first else read.new)
    rows: list[tuple[str, str, Mapping[str, object]]] = [("day_closed", day.isoformat(), body_of_day(books))]
    rows += [row_of_flow(one, values[one.id]) for one in others if values.get(one.id) and one.id not in written]
    rows += [
        alert_row(d.symbol, "action", "books", f"end of {day}: {said}")
        for d, said in zip(books.differences, books.sentences, strict=True)
    ]
    journal.record_events(account_id, None, read.at, rows)
    return books


def _opening(journal: Journal, account_id: str, day: date) -> Opening | None:
    """The closing before this day; without one, or if a person has accepted a new baseline since, the first cycle's
    reading."""
    start = datetime.combine(day, time(0), NEW_YORK)
    closed = [e for e in journal.recall(account_id, "day_closed", last=DAYS_SEEN) if (e.key or "") < day.isoformat()]
    accepted = journal.recall(account_id, "books_accepted", last=1)
    after = accepted[0].seq if accepted else 0
    if closed and closed[-1].seq > after:
        last = day_of_body(closed[-1].body)
        seen = frozenset(name for e in closed for name in e.body["seen"])
        return Opening(last.closed_at, last.closing_cash, last.closing_equity, last.positions, seen, last.prices)
    planned = [e for e in journal.recall(account_id, "cycle_planned", since=start) if e.seq > after]
    text = journal.snapshot_text(planned[0].cycle_id or "", account_id) if planned else None
    if text is None:
        return None
    first = stored_snapshot(text)
    held = {p.symbol: Holding(p.qty, p.avg_entry_price) for p in first.positions if p.qty != 0}
    prices = last_trades(first.quotes)
    known = prices if explain(first.account, first.positions, prices) else {}
    return Opening(first.as_of, first.account.cash, first.account.equity, held, None, known)


def _standing(
    broker: ReadBroker, journal: Journal, account_id: str, opening: Opening | None, benchmark: str, day: date
) -> tuple[Account, tuple[Position, ...], ActivitiesRead, ClosingPrices]:
    """Account, positions, activities and prices of one moment: read repeatedly until nothing changes in between. Prices
    that do not add up to the equity are read again too; a mismatch that remains is real, and is shown."""
    since = None if opening is None or opening.at is None else opening.at - LOOK_BACK
    account, positions = _account(broker, account_id)
    found = None
    for _ in range(READINGS):
        read = read_activities(broker, journal, account_id, broker.now(), since)
        moved = (one.symbol for one in read.others if one.type in IN_KIND and one.symbol is not None)
        prices = read_prices(broker, positions, benchmark, day, moved)
        again, held = _account(broker, account_id)
        if (again.cash, held) == (account.cash, positions):
            found = again, held, read, prices
            if not prices.held or explain(again, held, prices.held):
                return found
        account, positions = again, held
    if found is not None:
        return found
    raise BrokerUnavailable("the account keeps changing: the books of the day cannot be closed while it trades")


def _account(broker: ReadBroker, account_id: str) -> tuple[Account, tuple[Position, ...]]:
    account, positions = broker.account(), broker.positions()
    if account.id != account_id:
        raise WrongAccount(f"the broker's account is {account.id}, the journal's is {account_id}")
    return account, positions


def _since(opening: Opening | None, read: ActivitiesRead) -> tuple[list[BrokerFill], list[Activity]]:
    """The activities that the opening figures do not include."""
    if opening is None or opening.at is None:
        day = day_in_new_york(read.at)
        return (
            [f for f in read.fills if day_in_new_york(f.at) == day],
            [a for a in read.others if day_in_new_york(moment_of(a)) == day],
        )
    if opening.seen is not None:
        return [f for f in read.fills if f.id not in opening.seen], [a for a in read.others if a.id not in opening.seen]
    return [f for f in read.fills if f.at > opening.at], [a for a in read.others if moment_of(a) > opening.at]


def _derived(
    account: Account, positions: Iterable[Position], fills: list[BrokerFill], others: list[Activity]
) -> Opening:
    """The opening computed backwards from the closing: it was never recorded, so it proves nothing."""
    added = total_activities({}, fills, others)
    held = {p.symbol: p.qty for p in positions}
    before = {s: held.get(s, ZERO) - added.positions.get(s, ZERO) for s in {*held, *added.positions}}
    return Opening(
        None,
        account.cash - added.cash,
        account.last_equity,
        {s: Holding(qty, ZERO) for s, qty in before.items() if qty != 0},
        None,
    )


def _books(
    day: date,
    opening: Opening,
    account: Account,
    positions: Iterable[Position],
    added: ActivityTotals,
    read: ActivitiesRead,
    fills: int,
    coin_fee_max: Decimal,
) -> DayBooks:
    """The books of a day. coin_fee_max: of coins bought or dollars received, a fraction."""
    held = {p.symbol: Holding(p.qty, p.avg_entry_price) for p in positions if p.qty != 0}
    differences = []
    for symbol in sorted({*held, *added.positions}):
        expected = added.positions.get(symbol, ZERO)
        found = held[symbol].qty if symbol in held else ZERO
        bought, _ = added.coins.get(symbol, (ZERO, ZERO))
        if expected != found and not ZERO <= expected - found <= bought * coin_fee_max:
            said = f"{text_of(found)} shares at the broker, {text_of(expected)} by its activities"
            differences.append(Difference(symbol, expected, found, said))
    missing = account.cash - (opening.cash + added.cash)
    fees = added.fees
    most = sum((sold for _, sold in added.coins.values()), ZERO) * coin_fee_max
    if ZERO < -missing <= most:
        fees, missing = fees + missing, ZERO  # the proceeds of coin sales were credited net of the fee
    unexplained = ZERO if abs(missing) < CENT else missing.quantize(CENT)
    if unexplained != ZERO:
        expected = (opening.cash + added.cash).quantize(CENT)
        said = f"${account.cash:,.2f} of cash at the broker, ${expected:,.2f} by its activities"
        differences.append(Difference("cash", expected, account.cash, said))
    return DayBooks(
        day=day,
        opened_at=opening.at,
        closed_at=read.at,
        opening_equity=opening.equity,
        closing_equity=account.equity,
        opening_cash=opening.cash,
        closing_cash=account.cash,
        traded=added.traded,
        flows=added.flows,
        fees=fees,
        dividends=added.dividends,
        interest=added.interest,
        other=added.other,
        result=account.equity - opening.equity - added.flows,
        realised=added.realised,
        unexplained=unexplained,
        fills=fills,
        in_kind=added.in_kind,
        positions=held,
        differences=tuple(differences),
        seen=tuple(sorted(one.id for one in read.every)),
    )


def _our_orders(journal: Journal, account_id: str, since: datetime) -> list[OrderRecord]:
    """Every order that we recorded since a moment and that the broker has."""
    cycles = {e.cycle_id for e in journal.recall(account_id, "order_intended", since=since) if e.cycle_id}
    orders = [order for cycle in sorted(cycles) for order in journal.orders_of(cycle, account_id)]
    return [order for order in orders if order.broker_id is not None]


def _our_fills(orders: Iterable[OrderRecord], fills: Iterable[BrokerFill]) -> list[Difference]:
    """Our orders whose fills in the journal differ from the broker's, in shares or, beyond rounding, in dollars."""
    shares: defaultdict[str, Decimal] = defaultdict(Decimal)
    value: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        shares[fill.order_id] += abs(fill.qty)
        value[fill.order_id] += abs(fill.qty) * fill.price
    found = []
    for order in orders:
        broker_id = order.broker_id or ""
        if shares[broker_id] != order.filled_qty:
            said = (
                f"order {order.client_order_id} has filled {text_of(order.filled_qty)} by the journal, "
                f"{text_of(shares[broker_id])} by the broker"
            )
            found.append(Difference(order.symbol, order.filled_qty, shares[broker_id], said))
            continue
        ours = order.filled_qty * (order.filled_avg_price or ZERO)
        if abs(ours - value[broker_id]) > max(CENT, order.filled_qty * PRICE_STEP):
            theirs = value[broker_id]
            said = f"order {order.client_order_id} traded ${ours:,.2f} by the journal, ${theirs:,.2f} by the broker"
            found.append(Difference(order.symbol, ours, theirs, said))
    return found
