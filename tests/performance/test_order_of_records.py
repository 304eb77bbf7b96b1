"""Lots and round trips follow from what the records say, never from the order in which they are fed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.accounting.trade_history import TICK, not_listed
from rebalancer.core.outcomes import OrderState
from rebalancer.journal.records import OrderRecord
from rebalancer.performance.fees import with_fees
from rebalancer.performance.lots import Lot, match_lots
from rebalancer.performance.records import AccountHistory, CashEvent, Fill, LotMethod, ShareEvent
from rebalancer.performance.round_trips import trips_of

D = Decimal
NOON = datetime(2026, 1, 5, 17, tzinfo=UTC)
METHODS: tuple[LotMethod, ...] = ("fifo", "average")
quantities = st.integers(-30, 30).filter(bool).map(D)
prices = st.decimals("1", "90", places=2)
minutes = st.integers(-70, 5)  # few moments for many records: equal ones, and an hour back
fills = st.lists(st.tuples(minutes, st.sampled_from(["KO", "XOM"]), quantities, prices), max_size=14).map(
    lambda rows: [
        Fill(f"f{n:02}", f"o{n // 2}", NOON + timedelta(minutes=at), symbol, qty, price)
        for n, (at, symbol, qty, price) in enumerate(rows)
    ]
)
moves = st.lists(
    st.tuples(minutes, st.sampled_from(["KO", "XOM"]), quantities, st.sampled_from(["in_kind", "corporate_action"])),
    max_size=3,
).map(
    lambda rows: [
        ShareEvent(f"f{n:02}", NOON + timedelta(minutes=at), s, q, kind, D(7))  # type: ignore[arg-type]  # drawn kinds
        for n, (at, s, q, kind) in enumerate(rows)
    ]
)
fees = st.lists(st.decimals("-9", "-0.01", places=2), max_size=3).map(
    lambda rows: [CashEvent(f"c{n}", NOON + timedelta(hours=12 * n), "fee", a) for n, a in enumerate(rows)]
)


@given(fills, moves, fees, st.randoms(use_true_random=False), st.sampled_from(METHODS))
def test_the_order_of_feeding_does_not_matter(
    told: list[Fill], moved: list[ShareEvent], paid: list[CashEvent], random: object, method: LotMethod
) -> None:
    shuffled = [list(told), list(moved), list(paid)]
    for rows in shuffled:
        random.shuffle(rows)  # type: ignore[attr-defined]  # hypothesis's own random
    assert match_lots(told, moved, method) == match_lots(shuffled[0], shuffled[1], method)
    trips = [
        trips_of(AccountHistory(fills=tuple(f), shares=tuple(s), cash=tuple(c)), method)  # type: ignore[arg-type]  # three kinds
        for f, s, c in ((told, moved, paid), shuffled)
    ]
    assert trips[0] == trips[1]
    assert all(trip.held_seconds >= 0 for trip in trips[0])
    charged, left = with_fees(told, paid)
    again, left_again = with_fees(shuffled[0], shuffled[2])  # type: ignore[arg-type]  # three kinds
    assert ({f.id: f for f in charged}, left) == ({f.id: f for f in again}, left_again)


@pytest.mark.parametrize("method", METHODS)
def test_a_sale_dated_before_its_purchase_is_a_short_that_the_purchase_closes(method: LotMethod) -> None:
    bought = Fill("a", "in", NOON, "KO", D(10), D(50))
    sold = Fill("b", "out", NOON - timedelta(hours=1), "KO", D(-10), D(52))
    (trip,) = trips_of(AccountHistory(fills=(bought, sold)), method)
    assert (trip.side, trip.opened_at, trip.closed_at, trip.profit) == ("short", sold.at, bought.at, D(20))


def test_at_one_moment_the_id_decides() -> None:
    first, second = Fill("a", "1", NOON, "KO", D(10), D(50)), Fill("b", "2", NOON, "KO", D(10), D(60))
    sold = Fill("c", "3", NOON, "KO", D(-10), D(70))
    for fed in ((sold, second, first), (first, second, sold)):
        found = match_lots(fed, (), "fifo")
        assert [(one.opening_order, one.gross) for one in found.closings] == [("1", D(200))]
        assert found.open == (Lot("KO", "2", NOON, D(10), D(600), D(0)),)


def order(number: int, cycle: str, side: Literal["buy", "sell"], at: datetime, symbol: str = "KO") -> OrderRecord:
    return OrderRecord(
        f"rb-{number}", cycle, "a", "increase" if side == "buy" else "reduce", symbol, side, D(10), "", "",
        OrderState.FILLED, D(10), D(50), f"o{number}", "", "", at, at,
    )  # fmt: skip


def test_a_clock_that_was_set_back_an_hour_turns_no_sale_into_a_short() -> None:
    """The purchase is listed with the broker's time; the sale of the next cycle only has ours, an hour earlier."""
    begun, back = NOON - timedelta(minutes=1), NOON - timedelta(hours=1)
    orders = (order(1, "c1", "buy", NOON), order(2, "c2", "sell", back), order(3, "c3", "buy", back))
    bought = Fill("f1", "o1", NOON + timedelta(seconds=2), "KO", D(10), D(50))
    told = not_listed(orders, (bought,), begun)
    assert [(f.order_id, f.qty, f.at) for f in told] == [
        ("o2", D(-10), bought.at + TICK),
        ("o3", D(10), bought.at + TICK + TICK),
    ]
    trips = trips_of(AccountHistory(fills=(bought, *told)), "fifo")
    assert [(trip.side, trip.held_seconds >= 0) for trip in trips] == [("long", True)]


def test_no_fill_of_ours_is_put_before_the_books_began() -> None:
    """What was held then can be sold in the first cycle, and is no short."""
    inherited = Fill("held:KO", "", NOON, "KO", D(10), D(40))
    told = not_listed((order(1, "c1", "sell", NOON - timedelta(hours=1)),), (), NOON)
    assert [f.at for f in told] == [NOON + TICK]
    (trip,) = trips_of(AccountHistory(fills=tuple(told), inherited=(inherited,)), "fifo")
    assert (trip.side, trip.source, trip.profit) == ("long", "inherited", D(100))
