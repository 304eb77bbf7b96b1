"""Replacing orders: what takes whose place, and what cannot be replaced."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.exchange import orders
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import get_position
from rebalancer.exchange.replacement import replace_order
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import FORBIDDEN, INVALID, UNPROCESSABLE, held, refused, resting, send, state


def patched(exchange: Exchange, order: dict[str, object], **body: object) -> dict[str, object]:
    return replace_order(exchange, str(order["id"]), body)


def test_a_replacement_takes_the_place_of_the_old_order(exchange: Exchange) -> None:
    old = resting(exchange)
    new = patched(exchange, old, qty=20, limit_price="210", client_order_id="second")
    assert (state(exchange, old)["status"], new["status"], new["replaces"]) == (
        "pending_replace", "pending_new", old["id"],
    )  # fmt: skip
    assert (new["qty"], new["limit_price"], new["client_order_id"]) == ("20", "210", "second")
    assert exchange.account()["buying_power"] == str(200_000 - 4_200)  # the larger of the two
    exchange.clock.advance(1)
    was = state(exchange, old)
    assert (was["status"], was["replaced_by"], was["replaced_at"]) == ("replaced", new["id"], was["updated_at"])
    assert state(exchange, new)["status"] == "new"
    assert exchange.account()["buying_power"] == str(200_000 - 4_200)
    third = patched(exchange, new, limit_price="399")
    exchange.clock.advance(1)
    assert state(exchange, third)["status"] == "filled"
    assert get_position(exchange, "AAPL")["qty"] == "20"


def test_a_fill_can_overtake_a_replacement_which_is_then_rejected() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0))
    order = send(exchange, type="limit", limit_price="400")
    exchange.clock.advance(0.03)
    new = patched(exchange, order, limit_price="401")
    exchange.clock.advance(1)
    assert (state(exchange, order)["status"], state(exchange, order)["replaced_by"]) == ("filled", None)
    assert (state(exchange, new)["status"], state(exchange, new)["failed_at"] is not None) == ("rejected", True)
    assert get_position(exchange, "AAPL")["qty"] == "10"


def test_the_quantity_of_a_replacement_includes_what_was_filled() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=1))
    order = send(exchange, type="limit", limit_price="400")
    exchange.clock.advance(0.05)
    filled = int(str(state(exchange, order)["filled_qty"]))
    assert 0 < filled < 10
    words = "unable to replace order, qty must be > filled_qty"
    assert refused(lambda: patched(exchange, order, qty=filled)) == (422, UNPROCESSABLE, words)
    new = patched(exchange, order, qty=15)
    assert new["qty"] == str(15 - filled)
    exchange.clock.advance(10)
    assert get_position(exchange, "AAPL")["qty"] == "15"


def test_what_fills_between_the_request_and_its_effect_is_taken_off_the_replacement() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=1))
    order = send(exchange, type="limit", limit_price="400")
    exchange.clock.advance(0.03)  # live, and the first part fills 10 ms later
    new = patched(exchange, order, qty=15)
    assert new["qty"] == "15"
    exchange.clock.advance(10)
    old = state(exchange, order)
    assert (old["status"], 0 < int(str(old["filled_qty"])) < 10) == ("replaced", True)
    assert int(str(state(exchange, new)["qty"])) == 15 - int(str(old["filled_qty"]))
    assert get_position(exchange, "AAPL")["qty"] == "15"


def test_what_cannot_be_replaced(exchange: Exchange) -> None:
    order = send(exchange, type="limit", limit_price="200")
    early = (422, INVALID, "unable to replace order, order isn't sent to exchange yet")
    closed = (422, UNPROCESSABLE, "unable to replace order, order is not open")
    assert refused(lambda: patched(exchange, order, limit_price="201")) == early
    exchange.clock.advance(1)
    for body, words in (
        ({"qty": "1.5"}, (422, INVALID, "qty must be integer")),
        ({"qty": 0}, (422, INVALID, "qty must be > 0")),
        ({"stop_price": "9"}, (422, INVALID, "limit orders require no stop price")),
        ({"limit_price": "200"}, (422, UNPROCESSABLE, "order parameters are not changed")),
        ({}, (422, UNPROCESSABLE, "order parameters are not changed")),
        ({"qty": 5000}, (403, FORBIDDEN, "insufficient buying power")),
        ({"client_order_id": order["client_order_id"], "qty": 3}, (422, INVALID, "client_order_id must be unique")),
    ):
        assert refused(lambda body=body: patched(exchange, order, **body)) == words
    patched(exchange, order, qty=3)
    assert refused(lambda: patched(exchange, order, qty=4)) == closed
    assert refused(lambda: orders.cancel_order(exchange, str(order["id"])))[0] == 422
    value = send(exchange, symbol="KO", qty=None, notional="50", type="limit", limit_price="20")
    exchange.clock.advance(1)
    assert refused(lambda: patched(exchange, value, limit_price="21"))[2] == (
        "unable to replace order, notional orders cannot be replaced"
    )
    orders.cancel_all(exchange)
    exchange.clock.advance(1)
    assert refused(lambda: patched(exchange, order, qty=4)) == closed


def test_a_resting_sale_can_be_replaced_though_it_holds_all_shares(exchange: Exchange) -> None:
    held(exchange)
    order = resting(exchange, side="sell", limit_price="400")
    new = patched(exchange, order, limit_price="390")
    exchange.clock.advance(1)
    assert (state(exchange, new)["status"], get_position(exchange, "AAPL")["qty_available"]) == ("new", "0")


def test_the_trail_can_be_replaced(exchange: Exchange) -> None:
    held(exchange)
    order = send(exchange, "sell", type="trailing_stop", trail_price="50")
    exchange.clock.advance(60)
    before = state(exchange, order)
    new = patched(exchange, order, trail="40")
    assert (new["trail_price"], new["hwm"]) == ("40", before["hwm"])
    assert Decimal(str(new["stop_price"])) == Decimal(str(before["hwm"])) - 40
