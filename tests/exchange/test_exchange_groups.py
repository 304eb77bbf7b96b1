"""Brackets, pairs of exits, one-triggers-other, and the wash-trade table."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import cast

import pytest

from rebalancer.exchange import orders
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.positions import close_all, get_position, list_positions
from rebalancer.exchange.replacement import replace_order
from rebalancer.exchange.starter import open_exchange

HOUR = 3600.0
Row = dict[str, object]


def send(exchange: Exchange, side: str = "buy", **fields: object) -> Row:
    body = {"symbol": "AAPL", "side": side, "type": "market", "time_in_force": "gtc", "qty": "10", **fields}
    return exchange.submit({key: value for key, value in body.items() if value is not None})


def last(exchange: Exchange) -> Decimal:
    return exchange.market.last("AAPL", exchange.clock.micros())


def exits(profit: object, stop: object, **more: object) -> Row:
    return {"take_profit": {"limit_price": str(profit)}, "stop_loss": {"stop_price": str(stop), **more}}


def bracket(exchange: Exchange, profit: object, stop: object, **fields: object) -> Row:
    return send(exchange, order_class="bracket", **exits(profit, stop), **fields)


def state(exchange: Exchange, order: Row) -> Row:
    return orders.get_order(exchange, str(order["id"]))


def legs_of(order: Row) -> list[Row]:
    return cast("list[Row]", order["legs"])


def group(exchange: Exchange, order: Row) -> list[object]:
    """Statuses of parent and legs in the nested view."""
    row = orders.get_order(exchange, str(order["id"]), {"nested": "True"})
    return [row["status"], *(leg["status"] for leg in legs_of(row))]


def refused(call: Callable[[], object]) -> tuple[int, Row]:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status, caught.value.body


def near(exchange: Exchange, part: str) -> Decimal:
    return (last(exchange) * Decimal(part)).quantize(Decimal("0.01"))


def test_a_bracket_holds_its_legs_until_the_entry_is_filled(exchange: Exchange) -> None:
    order = bracket(exchange, 400, 200, type="limit", limit_price="250")
    exchange.clock.advance(1)
    assert group(exchange, order) == ["new", "held", "held"]
    first, second = legs_of(order)
    assert [(leg["type"], leg["side"], leg["limit_price"], leg["stop_price"], leg["order_class"], leg["qty"])
            for leg in (first, second)] == [
        ("limit", "sell", "400", None, "bracket", "10"), ("stop", "sell", None, "200", "bracket", "10"),
    ]  # fmt: skip
    assert first.keys() == second.keys() == order.keys()
    replace_order(exchange, str(order["id"]), {"limit_price": "390"})
    exchange.clock.advance(1)
    top = orders.list_orders(exchange, {"nested": "true"})
    assert [(row["status"], [leg["status"] for leg in legs_of(row)]) for row in top] == []
    listed = orders.list_orders(exchange, {})
    assert {row["status"] for row in listed} == {"new"}
    assert len(listed) == 2
    assert get_position(exchange, "AAPL")["qty_available"] == "0"  # both exits hold the same ten shares


def test_nested_listing_folds_the_legs_and_flat_listing_shows_them(exchange: Exchange) -> None:
    order = bracket(exchange, 400, 200, type="limit", limit_price="250")
    flat, nested = (orders.list_orders(exchange, {"nested": text}) for text in ("false", "true"))
    assert [row["id"] for row in flat] == [*(leg["id"] for leg in legs_of(order)[::-1]), order["id"]]
    assert [row["legs"] for row in flat] == [None] * 3
    assert nested == [order]


@pytest.mark.parametrize("way", ["profit", "stop"])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_one_exit_fills_and_the_other_is_cancelled(exchange: Exchange, way: str, side: str) -> None:
    sign = 1 if side == "buy" else -1
    close = Decimal("1.0005") if (way == "profit") == (side == "buy") else Decimal("0.9995")
    price = (last(exchange) * close).quantize(Decimal("0.01"))
    far = 500 if (way == "stop") == (side == "buy") else 100
    order = bracket(exchange, *((price, far) if way == "profit" else (far, price)), side=side)
    exchange.clock.advance(20 * 24 * HOUR)
    expected = ["filled", "filled", "canceled"] if way == "profit" else ["filled", "canceled", "filled"]
    assert group(exchange, order) == expected
    assert list_positions(exchange) == []
    paid = [Decimal(str(row["filled_avg_price"])) for row in (order | state(exchange, order), *legs_of(
        orders.get_order(exchange, str(order["id"]), {"nested": "1"}))) if row["filled_avg_price"]]  # fmt: skip
    assert (sign * (paid[1] - paid[0]) > 0) == (way == "profit")


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_cancelling_any_of_a_group_cancels_all(exchange: Exchange, victim: int) -> None:
    order = bracket(exchange, 400, 200, type="limit", limit_price="250")
    exchange.clock.advance(1)
    orders.cancel_order(exchange, str([order, *legs_of(order)][victim]["id"]))
    exchange.clock.advance(1)
    assert group(exchange, order) == ["canceled"] * 3
    assert not exchange.orders


def test_an_entry_that_expires_takes_its_legs_along(exchange: Exchange) -> None:
    order = bracket(exchange, 400, 200, type="limit", limit_price="250", time_in_force="day")
    exchange.clock.advance(24 * HOUR)
    assert group(exchange, order) == ["expired", "canceled", "canceled"]


def test_a_partly_filled_take_profit_shrinks_the_stop() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=1))
    order = bracket(exchange, near(exchange, "1.0002"), 200)
    parts = set()
    for _ in range(20_000):
        exchange.clock.advance(1)
        view = orders.get_order(exchange, str(order["id"]), {"nested": "true"})
        profit, stop = legs_of(view)
        if profit["status"] == "partially_filled":
            parts.add((profit["filled_qty"], stop["qty"]))
        if profit["status"] == "filled":
            break
        exchange.clock.advance(14 if profit["status"] == "held" else 0.05)
    assert all(int(str(filled)) + int(str(rest)) == 10 for filled, rest in parts)
    assert parts
    assert group(exchange, order) == ["filled", "filled", "canceled"]


def test_a_pair_of_exits_shows_the_take_profit_as_parent(exchange: Exchange) -> None:
    send(exchange)
    exchange.clock.advance(1)
    order = send(exchange, "sell", type="limit", order_class="oco", **exits(400, 200, limit_price="199"))
    assert (order["type"], order["limit_price"], order["order_class"]) == ("limit", "400", "oco")
    (leg,) = legs_of(order)
    assert (leg["type"], leg["stop_price"], leg["limit_price"]) == ("stop_limit", "200", "199")
    exchange.clock.advance(1)
    assert group(exchange, order) == ["new", "new"]
    assert get_position(exchange, "AAPL")["qty_available"] == "0"
    moved = replace_order(exchange, str(order["id"]), {"limit_price": str(near(exchange, "0.99"))})
    exchange.clock.advance(1)
    assert group(exchange, moved) == ["filled", "canceled"]
    assert list_positions(exchange) == []


def test_the_stop_of_a_group_can_be_moved_while_held_and_while_live(exchange: Exchange) -> None:
    order = bracket(exchange, 400, 200, type="limit", limit_price="250")
    exchange.clock.advance(1)
    new = replace_order(exchange, str(legs_of(order)[1]["id"]), {"stop_price": "210"})
    assert (new["status"], new["replaces"]) == ("held", legs_of(order)[1]["id"])
    assert group(exchange, order) == ["new", "held", "held"]
    replace_order(exchange, str(order["id"]), {"limit_price": "390"})
    exchange.clock.advance(1)
    price = near(exchange, "1.01")
    last_one = replace_order(exchange, str(new["id"]), {"stop_price": str(price - 20)})
    exchange.clock.advance(1)
    assert state(exchange, last_one)["status"] == "new"
    orders.cancel_order(exchange, str(last_one["id"]))
    exchange.clock.advance(1)
    exchange.catch_up()
    assert not exchange.orders


def test_two_exits_hold_their_shares_once(exchange: Exchange) -> None:
    send(exchange, qty="5")
    exchange.clock.advance(1)
    bracket(exchange, 400, 200)
    exchange.clock.advance(1)
    assert get_position(exchange, "AAPL")["qty_available"] == "5"
    assert send(exchange, "sell", qty="5")["status"] == "pending_new"
    assert refused(lambda: send(exchange, "sell", qty="1"))[1]["held_for_orders"] == "15"


def test_one_triggers_other(exchange: Exchange) -> None:
    order = send(exchange, order_class="oto", stop_loss={"stop_price": "200"})
    assert [leg["status"] for leg in legs_of(order)] == ["held"]
    exchange.clock.advance(1)
    assert group(exchange, order) == ["filled", "new"]
    words = "unable to replace order, oto orders cannot be replaced"
    leg = str(legs_of(order)[0]["id"])
    assert refused(lambda: replace_order(exchange, leg, {"stop_price": "201"}))[1]["message"] == words
    assert [row["status"] for row in close_all(exchange, {"cancel_orders": "true"})] == [200]
    exchange.clock.advance(1)
    assert list_positions(exchange) == []


INVALID, UNPROCESSABLE = 40010001, 42210000
BOTH = exits(400, 200)


@pytest.mark.parametrize(
    ("fields", "code", "message", "extra"),
    [
        ({"type": "stop", "stop_price": "280", "order_class": "bracket", **BOTH}, INVALID,
         "bracket orders must be market or limit orders", {}),
        ({"order_class": "bracket"}, INVALID, "bracket orders require take_profit.limit_price", {}),
        ({"order_class": "bracket", "take_profit": {"limit_price": 400}}, INVALID,
         "bracket orders require stop_loss.stop_price", {}),
        ({"order_class": "oco", **BOTH}, INVALID, "oco orders must be limit orders", {}),
        ({"order_class": "oto", **BOTH}, INVALID,
         "oto orders require one of take_profit.limit_price or stop_loss.stop_price", {}),
        ({**BOTH}, INVALID, "take_profit and stop_loss require order_class bracket, oco or oto", {}),
        ({"order_class": "bracket", **exits(400, 0)}, INVALID, "stop_loss.stop_price must be > 0", {}),
        ({"order_class": "bracket", **exits("400.001", 200)}, UNPROCESSABLE, "invalid take_profit.limit_price 400.001."
         " sub-penny increment does not fulfill minimum pricing criteria", {}),
        ({"order_class": "bracket", **BOTH, "qty": "1.5", "time_in_force": "day"}, UNPROCESSABLE,
         "fractional orders must be simple orders", {}),
        ({"order_class": "bracket", **BOTH, "qty": "1.5"}, UNPROCESSABLE, "fractional orders must be DAY orders", {}),
        ({"order_class": "bracket", **BOTH, "time_in_force": "ioc"}, UNPROCESSABLE,
         "bracket orders must be DAY or GTC orders", {}),
        ({"order_class": "bracket", **BOTH, "type": "limit", "limit_price": "250", "extended_hours": True},
         UNPROCESSABLE, "bracket orders are not eligible for extended hours trading", {}),
        ({"order_class": "bracket", **BOTH, "symbol": "BTC/USD"}, UNPROCESSABLE,
         "crypto orders not allowed for advanced order_class: otoco", {}),
        ({"order_class": "oco", "type": "limit", **BOTH}, UNPROCESSABLE, "oco orders must be exit orders", {}),
        ({"order_class": "bracket", **exits(249, 200), "type": "limit", "limit_price": "250"}, UNPROCESSABLE,
         "take_profit.limit_price must be >= base_price + 0.01", {"base_price": "250"}),
        ({"order_class": "bracket", **exits(400, 250), "type": "limit", "limit_price": "250"}, UNPROCESSABLE,
         "stop_loss.stop_price must be <= base_price - 0.01", {"base_price": "250"}),
        ({"order_class": "bracket", **exits(200, "249.99"), "side": "sell", "type": "limit", "limit_price": "250"},
         UNPROCESSABLE, "stop_loss.stop_price must be >= base_price + 0.01", {"base_price": "250"}),
    ],
)  # fmt: skip
def test_refusals_of_classes(exchange: Exchange, fields: Row, code: int, message: str, extra: Row) -> None:
    assert refused(lambda: send(exchange, **fields)) == (422, {"code": code, "message": message, **extra})
    assert orders.list_orders(exchange, {"status": "all"}) == []


def test_a_malformed_exit_and_a_stop_beyond_the_market(exchange: Exchange) -> None:
    body = {"code": 40010000, "message": "request body format is invalid"}
    assert refused(lambda: send(exchange, order_class="bracket", take_profit="9", stop_loss={})) == (400, body)
    words = "stop_loss.stop_price must be <= base_price - 0.01"
    answer = refused(lambda: bracket(exchange, 600, 450, type="limit", limit_price="500"))
    assert answer == (422, {"code": UNPROCESSABLE, "message": words, "base_price": str(last(exchange))})


def test_a_bracket_may_not_close(exchange: Exchange) -> None:
    send(exchange)
    exchange.clock.advance(1)
    answer = refused(lambda: bracket(exchange, 200, 400, side="sell"))
    assert answer == (422, {"code": UNPROCESSABLE, "message": "bracket orders must be entry orders"})


TYPES: dict[str, Row] = {
    "market": {"type": "market"},
    "stop": {"type": "stop", "stop_price": "100"},
    "limit": {"type": "limit", "limit_price": "400"},
    "stop_limit": {"type": "stop_limit", "stop_price": "100", "limit_price": "400"},
}
CROSSING = {"limit", "stop_limit"}


@pytest.mark.parametrize("existing", TYPES)
@pytest.mark.parametrize("new", TYPES)
@pytest.mark.parametrize("crosses", [True, False])
def test_the_wash_trade_table(existing: str, new: str, crosses: bool) -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0))
    send(exchange)
    exchange.clock.advance(1)
    first = send(exchange, "sell", **TYPES[existing])
    limit = {"limit_price": "400" if crosses else "399.99"} if new in CROSSING else {}
    wish = {**TYPES[new], **({"stop_price": "300"} if "stop" in new else {}), **limit}
    if existing in CROSSING and new in CROSSING and not crosses:
        assert send(exchange, **wish)["status"] == "pending_new"
        return
    assert refused(lambda: send(exchange, **wish)) == (403, {
        "code": 40310000, "message": "potential wash trade detected. use complex orders",
        "existing_order_id": first["id"], "reject_reason": f"opposite side {existing} order exists",
    })  # fmt: skip


@pytest.mark.parametrize("kind", ["bracket", "oco", "trailing"])
def test_complex_orders_are_exempt_from_the_wash_trade_rule(exchange: Exchange, kind: str) -> None:
    send(exchange)
    exchange.clock.advance(1)
    if kind == "oco":
        order = send(exchange, "sell", type="limit", order_class="oco", **BOTH)
    elif kind == "trailing":
        order = send(exchange, "sell", type="trailing_stop", trail_percent="20")
    else:
        order = bracket(exchange, 400, 200)
        exchange.clock.advance(1)
    assert send(exchange, qty="1")["status"] == "pending_new"
    exchange.clock.advance(1)
    exchange.catch_up()
    group_open = [o.status for o in exchange.orders.values()]
    assert group_open == ["new"] * (1 if kind == "trailing" else 2)
    assert state(exchange, order)["status"] in ("new", "filled")


def test_a_complex_order_may_oppose_a_plain_one(exchange: Exchange) -> None:
    send(exchange)
    exchange.clock.advance(1)
    send(exchange, "sell", qty="1", type="stop", stop_price="200")
    assert refused(lambda: send(exchange, qty="1"))[0] == 403
    assert bracket(exchange, 400, 200)["status"] == "pending_new"
