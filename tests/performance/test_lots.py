"""No share and no cent is lost between what was bought and what was sold, whichever lots a sale closes."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance.fees import with_fees
from rebalancer.performance.lots import Lot, match_lots, spread
from rebalancer.performance.records import CashEvent, Fill, LotMethod, OrderHistory, ShareEvent
from rebalancer.performance.round_trips import round_trips
from rebalancer.performance.stats import round_trip_stats
from rebalancer.performance.summary import KEYS, grouped

D = Decimal
START = datetime(2026, 1, 5, 15, tzinfo=UTC)
METHODS: tuple[LotMethod, ...] = ("fifo", "average")


def fill(number: int, qty: str | int | Decimal, price: str | Decimal, symbol: str = "KO", fee: str = "0") -> Fill:
    """The fill of minute `number`, of an order of its own."""
    return Fill(f"f{number:03}", f"o{number}", START + timedelta(minutes=number), symbol, D(qty), D(price), D(fee))


def action(number: int, qty: str, kind: Literal["corporate_action", "in_kind"], price: str = "0") -> ShareEvent:
    return ShareEvent(f"s{number:03}", START + timedelta(minutes=number), "KO", D(qty), kind, D(price))


money = st.decimals("0.01", "999.9999", places=4)
quantities = st.decimals("-50", "50", places=3).filter(bool)
histories = st.lists(st.tuples(st.sampled_from(["KO", "BTC/USD"]), quantities, money, money), max_size=30).map(
    lambda rows: [
        Fill(f"f{i:03}", f"o{i // 2}", START + timedelta(minutes=i), symbol, qty, price, fee)
        for i, (symbol, qty, price, fee) in enumerate(rows)
    ]
)
actions = st.lists(st.tuples(st.integers(0, 30), st.decimals("-40", "90", places=3).filter(bool)), max_size=4).map(
    lambda rows: [
        ShareEvent(f"s{i}", START + timedelta(minutes=at, seconds=30), "KO", qty, "corporate_action")
        for i, (at, qty) in enumerate(rows)
    ]
)


@given(histories, actions, st.sampled_from(METHODS))
def test_nothing_is_lost(fills: list[Fill], shares: list[ShareEvent], method: LotMethod) -> None:
    matched = match_lots(fills, shares, method)
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in [*fills, *shares]:
        held[one.symbol] += one.qty
    left: defaultdict[str, Decimal] = defaultdict(Decimal)
    for lot in matched.open:
        left[lot.symbol] += lot.qty
    assert {s: q for s, q in left.items() if q} == {s: q for s, q in held.items() if q}
    paid = sum((-f.qty * f.price for f in fills), D(0))
    assert sum((c.gross for c in matched.closings), D(0)) - sum((o.cost for o in matched.open), D(0)) == paid
    fees = sum((c.fees for c in matched.closings), D(0)) + sum((o.fees for o in matched.open), D(0))
    assert fees == sum((f.fee for f in fills), D(0))
    sides = {(lot.symbol, lot.qty > 0) for lot in matched.open}
    assert len(sides) == len({symbol for symbol, _ in sides})  # nobody is long and short at once
    trips = round_trips(matched.closings, {}, {}, {})
    assert sum((t.gross for t in trips), D(0)) == sum((c.gross for c in matched.closings), D(0))
    for name in KEYS:
        rows = grouped(trips, name).values()
        assert sum((row.profit for row in rows), D(0)) == round_trip_stats(trips).profit
        assert sum(row.trips for row in rows) == len(trips)


@given(histories)
def test_when_all_is_closed_both_methods_have_won_the_same(fills: list[Fill]) -> None:
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in fills:
        held[one.symbol] += one.qty
    closing = [fill(100 + i, -qty, "7", symbol) for i, (symbol, qty) in enumerate(held.items()) if qty]
    won = [sum((c.gross for c in match_lots([*fills, *closing], (), m).closings), D(0)) for m in METHODS]
    assert won[0] == won[1]


@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 99)), max_size=30))
def test_first_in_first_out_is_what_moving_share_by_share_gives(rows: list[tuple[int, int]]) -> None:
    queue: deque[tuple[int, int]] = deque()  # sign and price of each single share
    won = []
    for qty, price in rows:
        sign = 1 if qty > 0 else -1
        for _ in range(abs(qty)):
            if queue and queue[0][0] != sign:
                was, entry = queue.popleft()
                won.append(was * (price - entry))
            else:
                queue.append((sign, price))
    matched = match_lots([fill(i, qty, D(price)) for i, (qty, price) in enumerate(rows)], (), "fifo")
    assert sum((c.gross for c in matched.closings), D(0)) == sum(won)
    assert sum((abs(c.qty) for c in matched.closings), D(0)) == len(won)


def test_fifo_and_average_side_by_side() -> None:
    fills = [fill(0, 10, "5", fee="1"), fill(1, 10, "7"), fill(2, -15, "8", fee="0.30")]
    fifo, average = (match_lots(fills, (), method) for method in METHODS)
    assert [(c.opening_order, c.qty, c.cost, c.proceeds, c.fees) for c in fifo.closings] == [
        ("o0", D(10), D(50), D(80), D("1.20")),
        ("o1", D(5), D(35), D(40), D("0.10")),
    ]
    assert fifo.open == (Lot("KO", "o1", fills[1].at, D(5), D(35), D(0)),)
    assert [(c.opening_order, c.qty, c.cost, c.proceeds, c.fees) for c in average.closings] == [
        ("o0", D(15), D(90), D(120), D("1.05"))
    ]
    assert average.open == (Lot("KO", "o0", fills[0].at, D(5), D(30), D("0.25")),)


@pytest.mark.parametrize("method", METHODS)
def test_a_fill_through_zero_closes_and_then_opens(method: LotMethod) -> None:
    matched = match_lots([fill(0, 4, "5"), fill(1, -10, "6", fee="1"), fill(2, 6, "4")], (), method)
    assert [(c.qty, c.gross, c.fees) for c in matched.closings] == [(D(4), D(4), D("0.4")), (D(-6), D(12), D("0.6"))]
    assert matched.open == ()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("new", "old"), [(2, 1), (1, 4), (3, 2)])
def test_a_split_changes_no_profit(method: LotMethod, new: int, old: int) -> None:
    held = [fill(0, 8, "10"), fill(1, 16, "13")]
    plain = match_lots([*held, fill(5, -12, "15"), fill(6, -12, "16")], (), method)
    ratio = D(new) / old
    after = [fill(5, -12 * ratio, D(15) / ratio), fill(6, -12 * ratio, D(16) / ratio)]
    split = match_lots([*held, *after], [action(3, str(24 * ratio - 24), "corporate_action")], method)
    assert sum((c.gross for c in split.closings), D(0)).quantize(D("0.000001")) == D(12 * 15 + 12 * 16 - 288)
    assert [c.cost for c in split.closings] == [c.cost for c in plain.closings]
    assert split.open == ()


def test_shares_in_kind_come_and_go_at_their_price() -> None:
    matched = match_lots([fill(2, -10, "9")], [action(0, "10", "in_kind", "7")], "fifo")
    assert [(c.opening_order, c.cost, c.gross) for c in matched.closings] == [("", D(70), D(20))]


@given(st.decimals("-999", "999", places=2), st.lists(st.decimals("0", "99", places=3), min_size=1, max_size=9))
def test_what_is_shared_out_adds_up(amount: Decimal, weights: list[Decimal]) -> None:
    assert sum(spread(amount, weights), D(0)) == amount


def test_fees_are_shared_by_the_sales_of_their_day() -> None:
    sold = [fill(0, 5, "10"), fill(1, -2, "10"), fill(2, -1, "60"), fill(3, "-0.5", "100", "ETH/USD")]
    night = START + timedelta(hours=14)
    cash = [
        CashEvent("a", night, "fee", D("-0.08")),
        CashEvent("b", night, "coin_fee", D("-0.25")),
        CashEvent("c", night, "fee", D("-3"), "GME"),  # borrowing
        CashEvent("d", night, "interest", D("-3")),
        CashEvent("e", START - timedelta(days=9), "fee", D("-1")),  # of something that we never saw
    ]
    fills, left = with_fees(sold, cash)
    assert [f.fee for f in fills] == [D(0), D("0.02"), D("0.06"), D("0.25")]
    assert [fee.id for fee in left] == ["e", "c"]


def told(order_id: str, side: Literal["buy", "sell"], average: str, decided: str | None, **more: str) -> OrderHistory:
    price = None if decided is None else D(decided)
    return OrderHistory(
        order_id, f"rb-{order_id}", "c", "KO", side, D(10), D(10), D(average), price, None, None, START, None, **more
    )  # type: ignore[arg-type]  # source and reason only


def test_a_round_trip_tells_all_about_itself() -> None:
    fills: Sequence[Fill] = [
        Fill("1", "in", START, "KO", D(4), D("9.9"), D(0)),
        Fill("2", "in", START + timedelta(seconds=5), "KO", D(6), D("10.1"), D(0)),
        Fill("3", "out", START + timedelta(days=1), "KO", D(-10), D("11"), D("0.02")),
    ]
    stories = {
        "in": told("in", "buy", "10.02", "10.00", source="momentum"),
        "out": told("out", "sell", "11", "11.05", reason="stop reached", cause="stop"),
    }
    matched = match_lots(fills, (), "fifo")
    (trip,) = round_trips(matched.closings, stories, {"KO": "Consumer"}, {date(2026, 1, 5): "BULL"})
    assert trip._asdict() == {
        "symbol": "KO", "side": "long", "qty": D(10), "entry": D("10.02"), "exit": D(11), "opened_at": START,
        "closed_at": START + timedelta(days=1), "cost": D("100.2"), "gross": D("9.8"), "fees": D("0.02"),
        "slippage": D("0.7"), "source": "momentum", "sector": "Consumer", "asset_class": "us_equity",
        "regime": "BULL", "reason": "stop reached", "exit_cause": "stop",
    }  # fmt: skip
    assert (trip.profit, trip.held_seconds, round(trip.roi or 0, 6)) == (D("9.78"), 86_400.0, 0.097605)
    (without,) = round_trips(matched.closings, {"in": told("in", "buy", "10.02", None)}, {}, {})
    assert (without.slippage, without.source, without.sector, without.regime) == (None, "unknown", "unknown", "unknown")
