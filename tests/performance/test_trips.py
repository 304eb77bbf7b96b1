"""Round trips: what is matched with what, and that no cent is lost between trips, lots and cash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance.stats import by, trip_stats
from rebalancer.performance.trips import Execution, Ledger, Lot, Method, Split, Trip, round_trips
from rebalancer.values import text_of

D = Decimal
T0 = datetime(2026, 11, 20, 15, tzinfo=UTC)


def fill(qty: str, price: str, minute: int, symbol: str = "A", **more: object) -> Execution:
    plain = Execution(symbol, D(qty), D(price), T0 + timedelta(minutes=minute))
    return plain._replace(**more)  # type: ignore[arg-type]  # tests name fields


def told(ledger: Ledger) -> list[tuple[str, ...]]:
    return [(t.side, *map(text_of, (t.qty, t.entry, t.exit, t.profit))) for t in ledger.trips]


FILLS = [fill("10", "100", 0), fill("10", "110", 1), fill("-15", "120", 2), fill("-5", "90", 3)]


def test_fifo_closes_the_oldest_first() -> None:
    ledger = round_trips(FILLS, "fifo")
    assert told(ledger) == [
        ("long", "10", "100", "120", "200"),
        ("long", "5", "110", "120", "50"),
        ("long", "5", "110", "90", "-100"),
    ]
    assert ledger.lots == {}


def test_average_closes_at_the_average() -> None:
    assert told(round_trips(FILLS, "average")) == [
        ("long", "15", "105", "120", "225"),
        ("long", "5", "105", "90", "-75"),
    ]


def test_a_trade_through_zero_closes_and_opens() -> None:
    ledger = round_trips([fill("10", "100", 0), fill("-16", "90", 1), fill("6", "80", 2)], "fifo")
    assert told(ledger) == [("long", "10", "100", "90", "-100"), ("short", "6", "90", "80", "60")]


def test_a_split_changes_shares_and_price_and_no_cost() -> None:
    events = [fill("10", "100", 0), Split("A", D(4), T0 + timedelta(minutes=1)), fill("-40", "30", 2)]
    assert told(round_trips(events, "fifo")) == [("long", "40", "25", "30", "200")]


def test_fees_and_slippage_go_with_the_shares() -> None:
    bought = fill("10", "100", 0, fees=D("1.00"), slippage=D("2.00"), source="desk")
    sold = fill("-4", "110", 1, fees=D("0.50"), slippage=D("-1"), reason="stop")
    (trip,) = round_trips([bought, sold], "fifo").trips
    assert (trip.profit, trip.fees, trip.slippage) == (D("39.10"), D("0.90"), D("-0.20"))
    assert (trip.source, trip.reason, trip.seconds) == ("desk", "stop", 60.0)


def test_what_was_held_before_is_the_first_lot() -> None:
    before = {"A": Lot(D(5), D(50), T0 - timedelta(days=1), D(0), D(0), "before")}
    (trip,) = round_trips([fill("-5", "60", 0)], "fifo", before).trips
    assert (trip.source, trip.profit, trip.ratio) == ("before", D(50), D("0.2"))


quantities = st.integers(-50, 50).filter(bool)
events = st.lists(
    st.tuples(quantities, st.decimals("1", "500", places=2), st.sampled_from("AB"), st.decimals("0", "3", places=2)),
    max_size=40,
)


@pytest.mark.parametrize("method", ["fifo", "average"])
@given(data=events)
def test_no_cent_is_lost(method: Method, data: list[tuple[int, Decimal, str, Decimal]]) -> None:
    """Profit of trips + cost of what is left = cash that moved, to the last digit that decimals have."""
    fills = [
        Execution(symbol, D(qty), price, T0 + timedelta(seconds=i), fees)
        for i, (qty, price, symbol, fees) in enumerate(data)
    ]
    ledger = round_trips(fills, method)
    lots = [lot for every in ledger.lots.values() for lot in every]
    cash = -sum((f.qty * f.price + f.fees for f in fills), D(0))
    kept = sum((lot.qty * lot.price + lot.fees for lot in lots), D(0))
    assert sum((t.profit for t in ledger.trips), D(0)) - kept == pytest.approx(cash, abs=D("1e-15"))
    for symbol in "AB":
        held = sum((f.qty for f in fills if f.symbol == symbol), D(0))
        assert sum((lot.qty for lot in ledger.lots.get(symbol, ())), D(0)) == held
        assert len({lot.qty > 0 for lot in ledger.lots.get(symbol, ())}) <= 1
    assert all(t.qty > 0 for t in ledger.trips)


def trip(profit: str, symbol: str = "A", spent: str = "1000") -> Trip:
    return Trip(symbol, "long", D(1), D(spent), D(0), T0, T0 + timedelta(hours=1), D(profit), D(1), D(2), "s", "r")


def test_figures_over_trips() -> None:
    found = trip_stats([trip("30"), trip("10"), trip("-20"), trip("0")])
    assert found._asdict() == {
        "trips": 4, "wins": 2, "profit": D(20), "fees": D(4), "slippage": D(8), "win_rate": 0.5, "profit_factor": 2.0,
        "average_win": D(20), "average_loss": D(-20), "roi": 0.005, "average_seconds": 3600.0,
    }  # fmt: skip


def test_figures_where_there_is_nothing_to_divide_by() -> None:
    assert trip_stats([])[5:] == (None,) * 6
    only_wins = trip_stats([trip("5")])
    assert (only_wins.profit_factor, only_wins.average_loss, only_wins.win_rate) == (None, None, 1.0)


def test_groups_by_what_one_likes_the_most_profitable_first() -> None:
    found = by([trip("5", "A"), trip("9", "B"), trip("-1", "A")], lambda t: t.symbol)
    assert [(name, s.trips, s.profit) for name, s in found.items()] == [("B", 1, D(9)), ("A", 2, D(4))]
