"""Limits that share a budget are decided together, and every order counts there at the price it may come to cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.core.facts import Quote
from rebalancer.core.outcomes import Outcome
from rebalancer.planning import plan
from tests.planning.examples import ACCOUNT, HUGE, NOW, book, instrument, order, rules, signal, snapshot
from tests.planning.worlds import world

D = Decimal
LIMIT = {"order_type": "limit", "limit_offset_bps": 0}


def wide(symbol: str) -> Quote:
    """104.99 to 105.01: what is bought at the limit costs 105.01."""
    return Quote(symbol, D("104.99"), D("105.01"), D(105), NOW)


def test_what_falls_to_another_limit_leaves_its_turnover_to_the_next() -> None:
    """A is the larger trade and has used up its orders of the day; B would be beyond the turnover behind it."""
    facts = snapshot("AB", signals=(signal("A"), signal("B", 0.5)))
    facts = facts._replace(day=facts.day._replace(orders_sent_by_symbol={"A": 10}))
    by = rules(position_sizing=HUGE, selection={"max_turnover": 0.12})
    decided = plan(facts, by)
    assert [(o.symbol, str(o.qty)) for o in decided.orders] == [("B", "100")]
    assert [v.outcome for v in decided.verdicts] == [Outcome.DENIED_ORDERS_PER_SYMBOL, Outcome.PLANNED]


def test_what_money_makes_smaller_uses_only_as_much_turnover() -> None:
    facts = snapshot("A", signals=(signal("A"),), account=ACCOUNT._replace(buying_power=D(5_000)))
    decided = plan(facts, rules(position_sizing=HUGE, selection={"max_turnover": 0.06}))
    assert [(o.symbol, str(o.qty)) for o in decided.orders] == [("A", "96")]


def test_what_falls_to_turnover_leaves_its_money_and_its_order_to_the_next() -> None:
    facts = snapshot("AB", signals=(signal("A"), signal("B", 0.5)), account=ACCOUNT._replace(buying_power=D(11_000)))
    by = rules(position_sizing=HUGE, selection={"max_turnover": 0.06}, execution={"max_orders_per_execution": 1})
    decided = plan(facts, by)
    assert [(o.symbol, str(o.qty)) for o in decided.orders] == [("B", "100")]
    assert decided.verdicts[0].outcome is Outcome.DENIED_TURNOVER


@pytest.mark.parametrize(("kind", "qty", "notional"), [("limit", "142", "14911.42"), ("market", "142", "14910.00")])
def test_the_limit_price_counts_under_the_largest_order(kind: str, qty: str, notional: str) -> None:
    """142.86 shares are worth 15 000 at the middle: 142 either way; at 14 910 the limit takes one more away."""
    facts = snapshot("A", quotes=(wide("A"),), signals=(signal("A"),))
    sized = {"base_position_size": 0.15, "max_trade_size": "15000", "max_order_value": "15000"}
    (one,) = plan(facts, rules(execution={**LIMIT, "order_type": kind}, position_sizing=sized)).orders
    assert (str(one.qty), str(one.notional)) == (qty, notional)
    sized |= {"max_trade_size": "14910", "max_order_value": "14910"}
    (one,) = plan(facts, rules(execution={**LIMIT, "order_type": kind}, position_sizing=sized)).orders
    assert str(one.qty) == {"limit": "141", "market": "142"}[kind]


def test_the_limit_price_counts_under_every_cap_and_in_what_is_told_after() -> None:
    facts = snapshot("A", quotes=(wide("A"),), signals=(signal("A"),))
    sized = {**HUGE, "base_position_size": 0.1491, "max_position_size": 0.1491}
    decided = plan(facts, rules(execution=LIMIT, position_sizing=sized))
    (one,) = decided.orders
    assert (str(one.qty), str(one.limit_price), str(one.notional)) == ("141", "105.01", "14806.41")
    after = {use.name: use.after for use in decided.limits}
    assert after["gross"] == after["position:A"] == 0.1480641
    assert str(one.because).endswith("cut from 142 to 141 shares by position A")


def test_a_short_sale_below_the_middle_counts_at_the_middle() -> None:
    facts = snapshot("A", quotes=(wide("A"),), signals=(signal("A", -1.0),))
    sized = {**HUGE, "base_position_size": 0.15, "max_position_size": 0.15, "allow_short": True}
    decided = plan(facts, rules(execution=LIMIT, position_sizing=sized))
    (one,) = decided.orders
    assert (str(one.qty), str(one.limit_price), str(one.notional)) == ("142", "104.99", "14908.58")
    assert {use.name: use.after for use in decided.limits}["gross"] == 0.1491


def test_open_orders_count_at_their_limits_too() -> None:
    resting = order("B", "buy", "100", type="limit", limit_price=D("200"))
    facts = snapshot("AB", signals=(signal("A"),), positions=book(B="10"), open_orders=(resting,))
    before = {use.name: use.before for use in plan(facts, rules()).limits}
    assert before["gross"] == pytest.approx(0.005 + 0.2)
    market = facts._replace(open_orders=(resting._replace(type="market", limit_price=None),))
    assert {u.name: u.before for u in plan(market, rules()).limits}["gross"] == pytest.approx(0.055)


def test_increases_at_their_limits_stay_within_every_cap() -> None:
    limited = 0
    for seed in range(300):
        facts, by = world(seed, calm=True)
        decided = plan(facts, by)
        if by.execution.order_type != "limit" or not decided.targets:
            continue
        most = min(by.position_sizing.max_trade_size, by.position_sizing.max_order_value)
        for one in decided.orders:
            assert one.limit_price is not None
            assert one.notional == (one.qty * one.limit_price).quantize(D("0.01"), "ROUND_DOWN")
            if one.phase == "increase":
                assert one.qty * max(one.limit_price, one.price) <= most
                assert one.notional >= by.position_sizing.min_trade_size - D("0.01")
                limited += 1
        for use in decided.limits:
            if use.name.startswith(("gross", "long", "short", "sector", "correlation", "position:")):
                assert use.after <= max(use.limit, use.before) + 1e-12, (seed, use)
    assert limited > 60


def test_a_share_of_a_name_can_be_bought_only_below_the_limit_at_its_limit() -> None:
    facts = snapshot("A", instruments=(instrument("A"),), quotes=(wide("A"),), signals=(signal("A"),))
    sized = {"max_trade_size": "105", "max_order_value": "105", "min_trade_size": "1"}
    decided = plan(facts, rules(execution=LIMIT, position_sizing=sized))
    assert [v.outcome for v in decided.verdicts] == [Outcome.DENIED_ORDER_VALUE]
    assert [o.qty for o in plan(facts, rules(position_sizing=sized)).orders] == [D(1)]
