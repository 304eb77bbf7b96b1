"""The bridge adds up to the cent; the gap's parts to the gap; the shortfall's to the shortfall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance.bridge import Bridge, Valuation, bridge, contributions
from rebalancer.performance.drift import PARTS, DriftInputs, drift_of
from rebalancer.performance.records import CashEvent, Fill, OrderHistory, ShareEvent
from rebalancer.performance.shortfall import ExecutionQuality, Shortfall, quality, shortfall_of

D = Decimal
AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
ZERO = D(0)
price = st.decimals("0.5", "900", places=4)
qty = st.decimals("-90", "90", places=3)
amount = st.decimals("-500", "500", places=2)
kind = st.sampled_from(["dividend", "interest", "fee", "flow", "other"])


def story(order_id: str, side: Literal["buy", "sell"], decided: Decimal | None) -> OrderHistory:
    return OrderHistory(order_id, order_id, "c", "KO", side, D(1), D(1), D(1), decided, None, None, AT, None)


@given(
    st.dictionaries(st.sampled_from("ABC"), st.tuples(qty, price)),
    st.lists(st.tuples(st.sampled_from("ABCD"), qty, price, st.none() | price), max_size=8),
    st.lists(st.tuples(kind, amount), max_size=8),
    st.lists(st.tuples(st.sampled_from("AB"), qty, price), max_size=2),
    st.dictionaries(st.sampled_from("ABCD"), price, min_size=4),
    amount,
    amount,
)
def test_a_bridge_adds_up_and_hides_nothing(
    held: dict[str, tuple[Decimal, Decimal]],
    trades: list[tuple[str, Decimal, Decimal, Decimal | None]],
    events: list[tuple[str, Decimal]],
    in_kind: list[tuple[str, Decimal, Decimal]],
    closes: dict[str, Decimal],
    cash: Decimal,
    lost: Decimal,
) -> None:
    fills = [Fill(str(i), f"o{i}", AT, s, q, p) for i, (s, q, p, _) in enumerate(trades)]
    stories = {f"o{i}": story(f"o{i}", "buy", decided) for i, (*_, decided) in enumerate(trades)}
    booked = [CashEvent(str(i), AT, k, a) for i, (k, a) in enumerate(events)]  # type: ignore[arg-type]  # drawn kinds
    shares = [ShareEvent(str(i), AT, s, q, "in_kind", p) for i, (s, q, p) in enumerate(in_kind)]
    opening = Valuation(cash + sum((q * p for q, p in held.values()), ZERO), held)
    after = {s: q for s, (q, _) in held.items()}
    for s, q in [(f.symbol, f.qty) for f in fills] + [(x.symbol, x.qty) for x in shares]:
        after[s] = after.get(s, ZERO) + q
    cash_after = cash - sum((f.qty * f.price for f in fills), ZERO) + sum((a for _, a in events), ZERO) + lost
    holdings = {s: (q, closes[s]) for s, q in after.items()}
    closing = Valuation(cash_after + sum((q * p for q, p in holdings.values()), ZERO), holdings)
    found = bridge(opening, closing, fills, booked, shares, stories)
    assert found.opening + sum(found[1:-1], ZERO) == found.closing
    assert found.unexplained == lost
    assert abs(found.closing - closing.equity) <= D("0.005")
    flows = sum((a for k, a in events if k == "flow"), ZERO) + sum((q * p for _, q, p in in_kind), ZERO)
    assert abs(found.flows - flows) <= D("0.005")
    moved = sum(contributions(opening, closing, fills, shares).values(), ZERO)
    assert abs(found.price_moves + found.slippage - moved) < D("0.06")


def test_a_bridge_in_figures() -> None:
    opening = Valuation(D(1000), {"KO": (D(10), D(50))})
    closing = Valuation(D("1123.50"), {"KO": (D(12), D(55))})
    fills = [Fill("1", "o", AT, "KO", D(2), D("51"))]
    events = [
        CashEvent("d", AT, "dividend", D("5")), CashEvent("f", AT, "fee", D("-0.50")),
        CashEvent("c", AT, "flow", D("61")), CashEvent("i", AT, "interest", D(0)),
    ]  # fmt: skip
    assert bridge(opening, closing, fills, events, (), {"o": story("o", "buy", D("50.75"))}) == Bridge(
        D(1000), D("58.50"), D(5), ZERO, D("-0.50"), D("-0.50"), ZERO, D(61), ZERO, ZERO, D("1123.50")
    )


shares = st.decimals("-500", "500", places=3)
weight = st.decimals("-1", "1", places=6)
capital = st.decimals("1000", "900000", places=2)
courses = st.builds(
    DriftInputs,
    st.just("KO"), weight, shares, shares, shares, shares, shares, price, price, capital, capital,
    st.decimals("-2000", "90000", places=2), st.sampled_from(["band", "cap"]),
)  # fmt: skip


@given(courses)
def test_the_parts_of_a_gap_add_up_to_it_exactly(course: DriftInputs) -> None:
    drift = drift_of(course)
    assert set(drift.parts) == set(PARTS)
    assert sum(drift.parts.values(), ZERO) == drift.gap
    assert abs(drift.now - course.now_qty * course.price_now / course.capital_now) < D("1e-11")
    assert drift.parts["band" if course.kept_back == "cap" else "cap"] == 0


PLAIN = DriftInputs("KO", D("0.1"), D(10), D(4), D(6), D(6), D(10), D(10), D(10), D(1000), D(1000), ZERO, "band")


@pytest.mark.parametrize(
    ("changes", "part", "size"),
    [
        ({}, None, "0"),
        ({"target": D("0.105")}, "rounding", "-0.005"),
        ({"planned_qty": D(5), "filled_qty": D(5), "now_qty": D(9)}, "band", "-0.01"),
        ({"planned_qty": D(5), "filled_qty": D(5), "now_qty": D(9), "kept_back": "cap"}, "cap", "-0.01"),
        ({"filled_qty": D(2), "now_qty": D(6)}, "unfilled", "-0.04"),
        ({"now_qty": D(13)}, "outside", "0.03"),
        ({"flow": D(1000), "capital_now": D(2000)}, "cash_flow", "-0.05"),
        ({"price_now": D(12), "capital_now": D(1000)}, "price_move", "0.02"),
    ],
)
def test_each_cause_has_its_own_part(changes: dict[str, Decimal], part: str | None, size: str) -> None:
    drift = drift_of(PLAIN._replace(**changes))
    assert {name: value for name, value in drift.parts.items() if value} == ({} if part is None else {part: D(size)})
    assert drift.gap == D(size)


def test_without_capital_there_is_no_weight() -> None:
    with pytest.raises(ValueError, match="KO: without capital"):
        drift_of(PLAIN._replace(capital=ZERO))


def order(**changes: object) -> OrderHistory:
    """A sale of 10 at 9.90, decided at 10.00, with 9.92 to 10.02 on arrival, all filled after 3 s."""
    whole = OrderHistory(
        "1", "rb-1", "c", "KO", "sell", D(10), D(10), D("9.90"), D("10.00"), D("9.92"), D("10.02"), AT,
        AT + timedelta(seconds=3),
    )  # fmt: skip
    return whole._replace(**changes)  # type: ignore[arg-type]  # any field


def test_what_an_order_cost() -> None:
    assert shortfall_of(order()) == Shortfall("KO", "10:00", D(99), D("1"), D("0.7"), D("0.5"), ZERO, 3.0)
    bought = order(side="buy", filled_qty=D(4), end_price=D("10.50"))
    assert shortfall_of(bought) == Shortfall("KO", "10:00", D("39.6"), D("-0.4"), D("-0.28"), D("0.2"), D("3"), 3.0)
    assert shortfall_of(bought).total == D("2.6")
    blind = order(filled_qty=D(4), decision_price=None, bid=None, filled_at=None)
    assert shortfall_of(blind) == Shortfall("KO", "10:00", D("39.6"), None, None, None, None, None)
    assert shortfall_of(blind).total is None


def test_many_orders_are_weighed_by_their_value() -> None:
    orders = [order(), order(side="buy"), order(symbol="XOM", bid=None), order(symbol="XOM", filled_qty=ZERO)]
    by_symbol = quality([shortfall_of(o) for o in orders], lambda s: s.symbol)
    assert [q.name for q in by_symbol] == ["KO", "XOM"]
    assert by_symbol[0] == ExecutionQuality("KO", 2, D(198), 0.0, 0.0, pytest.approx(5000 / 99), ZERO, 3.0)
    assert by_symbol[1]._replace(missed=ZERO) == ExecutionQuality(
        "XOM", 2, D(99), None, pytest.approx(10_000 / 99), None, ZERO, 3.0
    )


@given(price, price, price, st.decimals("1", "90", places=2), st.decimals("0", "1", places=2))
def test_a_shortfall_is_what_paper_would_have_had_more(
    decided: Decimal, filled_at: Decimal, end: Decimal, qty: Decimal, part: Decimal
) -> None:
    done = (qty * part).quantize(D("0.01"))
    for side, sign in (("buy", 1), ("sell", -1)):
        one = order(
            side=side, qty=qty, filled_qty=done, filled_avg_price=filled_at, decision_price=decided, end_price=end
        )
        paper, real = sign * qty * (end - decided), sign * done * (end - filled_at)
        assert shortfall_of(one).total == paper - real
