"""A quarter on the embedded exchange with everything that happens to an account: the books explain every cent of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from rebalancer.accounting.account_movements import AccountMovements, movements_of
from rebalancer.accounting.activities import body_of
from rebalancer.accounting.daily_values import Reading, values_of
from rebalancer.brokers.alpaca.order_reading import read_activity
from rebalancer.core.documents import plain
from rebalancer.core.values import ZERO
from rebalancer.exchange.calendar import MICROS, moment_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import list_positions
from rebalancer.exchange.starter import open_exchange
from rebalancer.journal.records import Event
from rebalancer.performance.bridge import Bridge, Valuation, bridge, contributions
from rebalancer.performance.fees import with_fees
from rebalancer.performance.lots import match_lots
from rebalancer.performance.records import AccountHistory, Fill, LotMethod
from rebalancer.performance.returns import daily_returns
from rebalancer.performance.round_trips import trips_of
from rebalancer.performance.summary import summary_of
from tests.exchange.histories import activities

FIRST = datetime(2026, 9, 28, 12, tzinfo=UTC)
DAYS = 92
STOCKS = ("KO", "XOM", "AAPL", "AMC", "NVR")
COINS = ("BTC/USD", "ETH/USD")
TRADED = ("KO", "XOM", "AAPL", "AMC", *COINS)


class Quarter(NamedTuple):
    """What was seen at noon (UTC) of every day, and all that the broker has listed by the end."""

    standings: list[tuple[datetime, Valuation, Decimal]]
    moved: AccountMovements
    happened: Counter[str]
    exchange: Exchange


@pytest.fixture(scope="module", params=[3, 11])
def quarter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    exchange = opened(tmp_path_factory.mktemp("quarter") / "exchange.sqlite", request.param)
    random, happened = Random(request.param), Counter[str]()
    announce(exchange, random)
    step_to(exchange, FIRST + timedelta(hours=3))
    whole = {"symbol": "NVR", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}
    exchange.submit(whole | {"symbol": "MSFT", "qty": "4", "side": "sell"})  # short all the time
    exchange.submit(whole)  # no fractions: a split of 3 for 2 leaves half a share, which is paid in cash
    step_to(exchange, FIRST + timedelta(hours=24))
    standings = [standing(exchange)]
    for number in range(1, DAYS):
        live_a_day(exchange, random, happened)
        step_to(exchange, FIRST + timedelta(days=number + 1))
        standings.append(standing(exchange))
    rows = [read_activity(row) for row in activities(exchange)]
    events = [Event(i, FIRST, "a", None, "activity", one.id, plain(body_of(one))) for i, one in enumerate(rows)]
    moved = movements_of(events)
    moved = AccountMovements(*(tuple(one for one in kind if one.at > standings[0][0]) for kind in moved))  # type: ignore[arg-type] # three
    yield Quarter(standings, moved, happened, exchange)
    exchange.close()


def opened(state: Path, seed: int) -> Exchange:
    exchange = open_exchange(
        ExchangeOptions(
            state, seed=seed, start=FIRST, speed=0, charges=True, holdings="starter", partial_fill_probability=0.3
        )
    )
    exchange.catch_up()
    return exchange


def announce(exchange: Exchange, random: Random) -> None:
    """Dividends and splits of the quarter, whole and broken ones."""
    for symbol in STOCKS:
        ex_day = date(2026, 10, 12) + timedelta(days=7 * random.randint(0, 6))
        announce_dividend(exchange, symbol, ex_day, ex_day + timedelta(days=10), Decimal(random.randint(3, 90)) / 100)
    for symbol, day, new, old in (("AAPL", 6, 4, 1), ("KO", 20, 3, 2), ("AMC", 33, 1, 10), ("NVR", 35, 3, 2)):
        announce_split(exchange, symbol, date(2026, 10, 1) + timedelta(days=day), new, old)


def live_a_day(exchange: Exchange, random: Random, happened: Counter[str]) -> None:
    """Some orders during the session, now and then money in or out before, during or after it."""
    noon = moment_of(exchange.clock.micros())
    if random.random() < 0.15:
        step_to(exchange, noon + timedelta(hours=random.choice((0.5, 5, 10))))
        amount = Decimal(random.randint(-900_000, 1_500_000)) / 100
        with exchange.request() as at:
            exchange.books.fund(at, amount, f"day {noon:%m-%d}")
        happened["deposit" if amount > 0 else "withdrawal"] += 1
    step_to(exchange, max(noon + timedelta(hours=3), moment_of(exchange.clock.micros())))
    for _ in range(random.randint(0, 5)):
        symbol, side = random.choice(TRADED), random.choice(("buy", "buy", "buy", "sell"))
        size = {"notional": str(random.randint(10, 25_000))} if side == "buy" else {"qty": str(sold(exchange, symbol))}
        force = "gtc" if symbol in COINS else "day"
        try:
            exchange.submit({"symbol": symbol, "side": side, "type": "market", "time_in_force": force, **size})
            happened[side] += 1
        except ApiError as refusal:
            happened[f"refused {refusal.status}"] += 1
        exchange.clock.advance(random.choice((2.0, 900.0)))
        exchange.catch_up()


def sold(exchange: Exchange, symbol: str) -> Decimal:
    """Half of what is held; of a stock that is not held a short of a few shares."""
    held = exchange.books.held(symbol)
    return (held / 2).quantize(Decimal("0.000001")) if held > 0 else Decimal(3)


def step_to(exchange: Exchange, moment: datetime) -> None:
    target = int(moment.timestamp()) * MICROS
    exchange.clock.advance(max(target - exchange.clock.micros(), 0) / MICROS)
    exchange.catch_up()


def standing(exchange: Exchange) -> tuple[datetime, Valuation, Decimal]:
    with exchange.reading() as at:
        held = {s: (p.qty, exchange.market.last(s, at)) for s, p in exchange.books.positions.items()}
        return moment_of(at), Valuation(exchange.numbers(at).equity, held), exchange.books.cash


def between(quarter: Quarter) -> Iterator[tuple[Valuation, Valuation, AccountMovements]]:
    """Every day: its two standings and what lies between."""
    for (before, opening, _), (after, closing, _) in zip(quarter.standings, quarter.standings[1:], strict=False):
        own = [tuple(one for one in kind if before < one.at <= after) for kind in quarter.moved]
        yield opening, closing, AccountMovements(*own)  # type: ignore[arg-type] # fills, cash, shares


def bridges(quarter: Quarter) -> list[Bridge]:
    return [bridge(opening, closing, *moved) for opening, closing, moved in between(quarter)]


def inherited(quarter: Quarter) -> tuple[Fill, ...]:
    at, opening, _ = quarter.standings[0]
    return tuple(Fill(f"held {s}", "", at, s, qty, price) for s, (qty, price) in opening.holdings.items())


def ledger(quarter: Quarter) -> AccountHistory:
    at, opening, _ = quarter.standings[0]
    readings = [Reading(at, at.date(), one.equity, cash) for at, one, cash in quarter.standings[1:]]
    days = values_of(at, readings, quarter.moved.cash, quarter.moved.shares)
    moved = quarter.moved
    return AccountHistory(
        moved.fills, moved.cash, moved.shares, {}, opening.equity, at.date(), days, inherited=inherited(quarter)
    )


def test_the_quarter_has_seen_everything(quarter: Quarter) -> None:
    kinds = Counter(event.kind for event in quarter.moved.cash) + Counter(one.kind for one in quarter.moved.shares)
    assert {"dividend", "fee", "coin_fee", "interest", "flow", "other", "corporate_action"} <= set(kinds)
    assert quarter.happened["buy"] > 50
    assert quarter.happened["sell"] > 25
    assert quarter.happened["deposit"] > 2
    assert quarter.happened["withdrawal"] > 2
    assert any(qty < 0 for _, one, _ in quarter.standings for qty, _ in one.holdings.values())


def test_no_day_has_a_cent_that_nothing_explains(quarter: Quarter) -> None:
    found = bridges(quarter)
    assert {day.unexplained for day in found} == {ZERO}
    assert all(day.opening + sum(day[1:-1], ZERO) == day.closing for day in found)
    assert [day.closing for day in found[:-1]] == [day.opening for day in found[1:]]


def test_the_quarter_as_one_bridge(quarter: Quarter) -> None:
    (_, opening, _), (_, closing, _) = quarter.standings[0], quarter.standings[-1]
    whole = bridge(opening, closing, *quarter.moved)
    assert whole.unexplained == ZERO
    days = bridges(quarter)
    for name in ("dividends", "interest", "fees", "other", "flows"):
        apart = abs(getattr(whole, name) - sum((getattr(day, name) for day in days), ZERO))
        assert apart <= Decimal("0.005") * DAYS, name
    moved = contributions(opening, closing, quarter.moved.fills, quarter.moved.shares)
    assert abs(sum(moved.values(), ZERO) - whole.price_moves) < Decimal("0.05")


def test_a_missing_activity_is_missed(quarter: Quarter) -> None:
    (_, opening, _), (_, closing, _) = quarter.standings[0], quarter.standings[-1]
    moved = quarter.moved
    for lost in (event for event in moved.cash if abs(event.amount) >= Decimal("0.02")):
        rest = [event for event in moved.cash if event is not lost]
        found = bridge(opening, closing, moved.fills, rest, moved.shares).unexplained
        assert abs(found - lost.amount) <= Decimal("0.01")


def test_cash_and_positions_follow_from_activities_alone(quarter: Quarter) -> None:
    (_, opening, cash), (_, closing, cash_after) = quarter.standings[0], quarter.standings[-1]
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for symbol, (qty, _) in opening.holdings.items():
        held[symbol] += qty
    for fill in quarter.moved.fills:
        held[fill.symbol] += fill.qty
        cash -= fill.qty * fill.price
    for event in quarter.moved.shares:
        held[event.symbol] += event.qty
    cash += sum((event.amount for event in quarter.moved.cash), ZERO)
    assert cash == cash_after
    assert {s: q for s, q in held.items() if q} == {s: q for s, (q, _) in closing.holdings.items()}
    told = {str(row["symbol"]): Decimal(str(row["qty"])) for row in list_positions(quarter.exchange)}
    assert told == {s.replace("/", ""): q for s, (q, _) in closing.holdings.items()}


@pytest.mark.parametrize("method", ["fifo", "average"])
def test_lots_hold_what_the_broker_holds_and_their_profit_is_the_account_s(quarter: Quarter, method: LotMethod) -> None:
    fills, left = with_fees(quarter.moved.fills, quarter.moved.cash)
    matched = match_lots((*inherited(quarter), *fills), quarter.moved.shares, method)
    (_, opening, _), (_, closing, _) = quarter.standings[0], quarter.standings[-1]
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for lot in matched.open:
        held[lot.symbol] += lot.qty
    assert dict(held) == {s: q for s, (q, _) in closing.holdings.items()}
    booked = sum((c.gross - c.fees for c in matched.closings), ZERO)
    paper = sum((lot.qty * closing.holdings[lot.symbol][1] - lot.cost - lot.fees for lot in matched.open), ZERO)
    earned = sum((e.amount for e in quarter.moved.cash if e.kind in ("dividend", "interest", "other")), ZERO)
    flows = sum((e.amount for e in quarter.moved.cash if e.kind == "flow"), ZERO)
    account_level = sum((fee.amount for fee in left), ZERO)
    assert booked + paper + earned + account_level == closing.equity - opening.equity - flows


def test_the_summary_of_the_quarter(quarter: Quarter) -> None:
    books = ledger(quarter)
    summary = summary_of(books, "fifo")
    money, days = summary.money, bridges(quarter)
    flows = sum((day.flows for day in days), ZERO)
    assert money.flows == flows
    assert money.profit is not None
    assert money.profit == quarter.standings[-1][1].equity - quarter.standings[0][1].equity - flows
    assert summary.trips.trips == len(trips_of(books, "fifo")) > 20
    assert summary.time_weighted is not None
    assert summary.money_weighted is not None
    # deposits are not profit: taking them for it would be seen at once
    careless = daily_returns(books.opening, [day._replace(flow=ZERO, weighted_flow=ZERO) for day in books.days])
    assert abs(float((1 + careless).prod() - 1) - summary.time_weighted) > 0.01
    last_month = summary_of(books, "fifo", days=30)
    assert (last_month.last, len(last_month.course.days)) == (books.days[-1].day, 30)
    assert last_month.course.returns == summary.course.returns[-30:]
