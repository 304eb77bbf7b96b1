"""The log of order events: every transition once, whatever depends on what, with ids that sort like the events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from rebalancer.exchange.streams.events import event_ulid

BUY = {"symbol": "KO", "qty": 2, "side": "buy", "type": "market", "time_in_force": "day"}


def names(exchange: Exchange, order_id: str) -> list[str]:
    bodies = [json.loads(one.body) for one in exchange.events.after(0, 10_000)]
    return [one["event"] for one in bodies if one["order"]["id"] == order_id]


def test_a_cancelled_order_and_an_expired_one(exchange: Exchange) -> None:
    from rebalancer.exchange.orders import cancel_order

    low = {**BUY, "type": "limit", "limit_price": "1.01"}
    first, second = exchange.submit(low)["id"], exchange.submit(low)["id"]
    exchange.clock.advance(1)
    exchange.catch_up()
    cancel_order(exchange, str(first))
    exchange.clock.advance(7 * 3600)
    exchange.catch_up()
    assert names(exchange, str(first)) == ["pending_new", "new", "pending_cancel", "canceled"]
    assert names(exchange, str(second)) == ["pending_new", "new", "expired"]


def test_waiting_is_not_told(exchange: Exchange) -> None:
    low = {**BUY, "type": "limit", "limit_price": "1.01", "time_in_force": "gtc"}
    identity = str(exchange.submit(low)["id"])
    exchange.clock.advance(5 * 86_400)
    exchange.catch_up()
    with exchange.request():
        exchange.keep(exchange.orders[identity])
    assert names(exchange, identity) == ["pending_new", "new"]


def test_a_partial_fill_is_two_executions() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=1))
    identity = str(exchange.submit({**BUY, "qty": 10})["id"])
    exchange.clock.advance(5)
    exchange.catch_up()
    bodies = [json.loads(one.body) for one in exchange.events.after(0)]
    assert [one["event"] for one in bodies] == ["pending_new", "new", "partial_fill", "fill"]
    part, rest = bodies[2:]
    assert Decimal(part["qty"]) + Decimal(rest["qty"]) == 10
    assert part["position_qty"] == part["qty"] == part["order"]["filled_qty"]
    assert part["order"]["status"] == "partially_filled"
    assert (rest["position_qty"], rest["order"]["filled_qty"], rest["order"]["id"]) == ("10", "10", identity)
    assert part["execution_id"] != rest["execution_id"]
    value = Decimal(part["qty"]) * Decimal(part["price"]) + Decimal(rest["qty"]) * Decimal(rest["price"])
    assert abs(value / 10 - Decimal(rest["order"]["filled_avg_price"])) <= Decimal("0.000000001")
    exchange.close()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["buy", "sell", "low", "gtc", "cancel", "second", "day", "ioc"]), max_size=25),
    st.booleans(),
)
def test_every_order_is_told_completely_and_only_once(steps: list[str], partial: bool) -> None:
    """The last event of an order shows the order as it now is; executions add up to what was filled."""
    from rebalancer.exchange.errors import ApiError
    from rebalancer.exchange.orders import cancel_all

    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=float(partial)))
    for step in steps:
        try:
            if step in ("second", "day"):
                exchange.clock.advance(1.0 if step == "second" else 86_400.0)
                exchange.catch_up()
            elif step == "cancel":
                cancel_all(exchange)
            else:
                extra = {"type": "limit", "limit_price": "1.01"} if step == "low" else {}
                extra |= {"time_in_force": "ioc"} if step == "ioc" else {}
                if step == "gtc":  # waits from session to session, which nobody is told
                    extra = {"type": "limit", "limit_price": "1.01", "time_in_force": "gtc"}
                exchange.submit({**BUY, "side": "sell" if step == "sell" else "buy", **extra})
        except ApiError:
            pass
    bodies = [json.loads(one.body) for one in exchange.events.after(0, 10_000)]
    last: dict[str, dict[str, Any]] = {}
    filled: dict[str, Decimal] = {}
    for body in bodies:
        last[body["order"]["id"]] = body["order"]
        filled[body["order"]["id"]] = filled.get(body["order"]["id"], Decimal(0)) + Decimal(body.get("qty", "0"))
    orders = exchange.store.orders(
        is_open=None, after=None, until=None, symbols=set(), side=None, ascending=True, limit=500
    )
    assert {order.id: order.wire() for order in orders} == last
    assert {order.id: order.filled_qty for order in orders} == filled
    marks = [(one["event"], one["order"]["id"], one.get("execution_id")) for one in bodies]
    assert len(marks) == len(set(marks))
    assert [one["event_id"] for one in bodies] == sorted({one["event_id"] for one in bodies})
    exchange.close()


GROUP = {
    **BUY, "qty": 10, "order_class": "bracket", "take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "50"},
}  # fmt: skip
STEPS = {
    "group": GROUP,
    "stop": {**BUY, "type": "stop", "stop_price": "72.90"},
    "low": {**BUY, "qty": 4, "type": "limit", "limit_price": "1.01"},
    "buy": {**BUY, "qty": 4},
    "extended": {**BUY, "type": "limit", "limit_price": "80", "extended_hours": True},
}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([*STEPS, "replace", "cancel", "second", "hour", "day"]), max_size=20), st.booleans())
def test_groups_and_replacements_are_told_to_their_end(steps: list[str], partial: bool) -> None:
    """Whatever depends on what: an order's last event names the state that it is in, and no event comes twice."""
    from rebalancer.exchange.errors import ApiError
    from rebalancer.exchange.orders import cancel_all
    from rebalancer.exchange.replacement import replace_order

    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=float(partial)))
    for step in steps:
        try:
            if step in ("second", "hour", "day"):
                exchange.clock.advance({"second": 1.0, "hour": 3600.0, "day": 86_400.0}[step])
                exchange.catch_up()
            elif step == "cancel":
                cancel_all(exchange)
            elif step == "replace" and exchange.orders:
                replace_order(exchange, next(iter(exchange.orders)), {"qty": "3"})
            elif step in STEPS:
                exchange.submit(STEPS[step])
        except ApiError:
            pass
    bodies = [json.loads(one.body) for one in exchange.events.after(0, 10_000)]
    words = {"fill": "filled", "partial_fill": "partially_filled"}
    last = {body["order"]["id"]: words.get(body["event"], body["event"]) for body in bodies}
    orders = exchange.store.orders(
        is_open=None, after=None, until=None, symbols=set(), side=None, ascending=True, limit=500
    )
    legs = [leg for order in orders for leg in exchange.store.legs(order.id)]
    everything = {order.id: order for order in [*orders, *legs]}
    told = {identity: order.status for identity, order in everything.items() if order.status != "held"}
    assert told == last  # nobody is told of a leg that waits: Alpaca has no event for it
    executions = [one["execution_id"] for one in bodies if "execution_id" in one]
    assert len(executions) == len(set(executions)) == sum(order.fills for order in everything.values())
    exchange.close()


@given(st.integers(0, 2**32), st.integers(0, 2**50), st.integers(0, 2**50), st.integers(0, 2**39))
def test_ids_sort_like_events(seed: int, first: int, second: int, seq: int) -> None:
    early, late = sorted((first, second))
    assert event_ulid(seed, early, seq) < event_ulid(seed, late, seq + 1)
