"""A cancellation that sticks, as it has been seen on paper accounts."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.exchange import orders
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.faults.rules import faults_of
from rebalancer.exchange.positions import close_all, get_position
from tests.exchange.helpers import DAY, HOUR, UNPROCESSABLE, held, last, refused, resting, state


def test_a_stuck_cancellation_holds_its_shares_until_the_order_expires(exchange: Exchange) -> None:
    exchange.faults.put(faults_of({"rules": [{"kind": "cancel_stuck", "symbols": ["AAPL"]}]}, str).rules)
    held(exchange)
    limit = (last(exchange) * Decimal("1.001")).quantize(Decimal("0.01"))
    order = resting(exchange, side="sell", limit_price=str(limit), time_in_force="day")
    other = resting(exchange, symbol="KO", limit_price="20")
    now = exchange.clock.micros()
    reached = exchange.market.next_reached("AAPL", "sell", limit, now, now + 3600 * MICROS)
    assert reached is not None  # it would fill within the hour
    for one in (order, other):
        orders.cancel_order(exchange, str(one["id"]))
    exchange.clock.advance(HOUR)
    assert [state(exchange, one)["status"] for one in (order, other)] == ["pending_cancel", "canceled"]
    stuck = (422, UNPROCESSABLE, "order pending cancel")
    assert refused(lambda: orders.cancel_order(exchange, str(order["id"]))) == stuck
    (row,) = orders.cancel_all(exchange)
    assert (row["id"], row["status"]) == (order["id"], 500)
    assert get_position(exchange, "AAPL")["qty_available"] == "0"
    exchange.clock.advance(DAY)
    assert state(exchange, order)["status"] == "expired"


def test_closing_everything_frees_what_sticks(exchange: Exchange) -> None:
    exchange.faults.put(faults_of({"rules": [{"kind": "cancel_stuck"}]}, str).rules)
    held(exchange)
    order = resting(exchange, side="sell", limit_price="300")
    orders.cancel_order(exchange, str(order["id"]))
    assert [row["status"] for row in close_all(exchange, {"cancel_orders": "true"})] == [200]
    exchange.clock.advance(1)
    assert state(exchange, order)["status"] == "canceled"
    assert exchange.books.positions == {}
