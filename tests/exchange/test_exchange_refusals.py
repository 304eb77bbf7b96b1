"""Every refusal with its exact status and body: clients match on the words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.exchange import orders, positions
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange

INVALID, UNPROCESSABLE, FORBIDDEN = 40010001, 42210000, 40310000
MARKET_BUY = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
LIMIT_BUY = {**MARKET_BUY, "type": "limit", "limit_price": "250"}
NUMBER = "request body format is invalid: {} must be a number"

# request (changes to a market buy of one AAPL), status, code, message
MALFORMED = [
    ({"qty": None}, 422, INVALID, "qty or notional is required"),
    ({"qty": ""}, 422, INVALID, "qty or notional is required"),
    ({"notional": 10}, 422, INVALID, "only one of qty or notional is accepted"),
    ({"qty": "0"}, 422, INVALID, "qty must be > 0"),
    ({"qty": -1}, 422, INVALID, "qty must be > 0"),
    ({"qty": "0.0000000001", "symbol": "BTC/USD", "time_in_force": "gtc"}, 422, INVALID, "qty must be > 0"),
    ({"qty": None, "notional": -5}, 422, INVALID, "notional must be > 0"),
    ({"qty": "1e12"}, 422, INVALID, "qty is too large"),
    ({"qty": "many"}, 400, 40010000, NUMBER.format("qty")),
    ({"qty": True}, 400, 40010000, NUMBER.format("qty")),
    ({"qty": [1]}, 400, 40010000, NUMBER.format("qty")),
    ({"qty": "NaN"}, 400, 40010000, NUMBER.format("qty")),
    ({"qty": "1_000"}, 400, 40010000, NUMBER.format("qty")),
    ({"qty": "1e999999"}, 400, 40010000, NUMBER.format("qty")),
    ({"type": None}, 422, INVALID, "invalid order type"),
    ({"type": "limti"}, 422, INVALID, "invalid order type"),
    ({"side": "hold"}, 422, INVALID, "invalid side"),
    ({"time_in_force": "forever"}, 422, INVALID, "invalid time_in_force"),
    ({"symbol": None}, 422, INVALID, "symbol is required"),
    ({"symbol": 7}, 400, 40010000, "request body format is invalid: symbol must be a string"),
    ({"limit_price": "200"}, 422, INVALID, "market orders require no stop or limit price"),
    ({"stop_price": "200"}, 422, INVALID, "market orders require no stop or limit price"),
    ({"type": "limit"}, 422, INVALID, "limit orders require a limit price"),
    ({"type": "limit", "limit_price": "0"}, 422, INVALID, "limit price must be > 0"),
    ({"type": "stop"}, 422, INVALID, "stop orders require a stop price"),
    ({"type": "stop_limit", "stop_price": "9"}, 422, INVALID, "stop limit orders require both stop and limit price"),
    (
        {"type": "trailing_stop"},
        422,
        INVALID,
        "trailing stop orders must specify one of trail_price or trail_percent",
    ),
    ({"order_class": "mleg"}, 422, UNPROCESSABLE, "order class mleg is not supported"),
    ({"extended_hours": True}, 422, UNPROCESSABLE, "extended hours order must be DAY or GTC limit orders"),
    ({"advanced_instructions": {"a": 1}}, 403, FORBIDDEN, "account not allowed to use advanced_instructions"),
    ({"client_order_id": "x" * 129}, 422, INVALID, "client_order_id must be no more than 128 characters"),
    ({"position_intent": "buy_to_hold"}, 422, INVALID, "invalid position_intent"),
]
UNSUITABLE = [
    ({"symbol": "ZZZ"}, 422, UNPROCESSABLE, 'asset "ZZZ" not found'),
    ({"symbol": "aapl"}, 422, UNPROCESSABLE, 'asset "aapl" not found'),
    ({"symbol": "TWTR"}, 422, UNPROCESSABLE, 'asset "TWTR" is not tradable'),
    ({"symbol": "NVR", "qty": "0.5"}, 403, FORBIDDEN, 'asset "NVR" is not fractionable'),
    ({"symbol": "NVR", "qty": None, "notional": 50}, 403, FORBIDDEN, 'asset "NVR" is not fractionable'),
    ({"qty": "0.5", "time_in_force": "gtc"}, 422, UNPROCESSABLE, "fractional orders must be DAY orders"),
    ({"symbol": "BTC/USD"}, 422, UNPROCESSABLE, "invalid crypto time_in_force"),
    (
        {"qty": None, "notional": "10.001"},
        422,
        UNPROCESSABLE,
        "notional value must be limited to 2 decimal places",
    ),
    (
        {"type": "limit", "limit_price": "290.123"},
        422,
        UNPROCESSABLE,
        "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (
        {"position_intent": "buy_to_close"},
        422,
        UNPROCESSABLE,
        "position intent mismatch, inferred: buy_to_open, specified: buy_to_close",
    ),
    ({"side": "sell", "qty": "0.5"}, 422, UNPROCESSABLE, "fractional orders cannot be sold short"),
    ({"side": "sell", "symbol": "AMC"}, 422, UNPROCESSABLE, 'asset "AMC" cannot be sold short'),
    ({"qty": "0.001"}, 403, FORBIDDEN, "cost basis must be >= minimal amount of order 1"),
    (
        {"symbol": "BTC/USD", "qty": None, "notional": "9.99", "time_in_force": "gtc"},
        403,
        FORBIDDEN,
        "cost basis must be >= minimal amount of order 10",
    ),
    (
        {"symbol": "ETH/USD", "side": "sell", "time_in_force": "gtc"},
        403,
        FORBIDDEN,
        "insufficient balance for ETH (requested: 1, available: 0)",
    ),
]


def refusal(exchange: Exchange, body: dict[str, object]) -> tuple[int, dict[str, object]]:
    """The refusal of an order; asserts that it left nothing behind."""
    before = exchange.account(), orders.list_orders(exchange, {"status": "all"})
    with pytest.raises(ApiError) as caught:
        exchange.submit(body)
    assert (exchange.account(), orders.list_orders(exchange, {"status": "all"})) == before
    return caught.value.status, caught.value.body


@pytest.mark.parametrize(("changes", "status", "code", "message"), [*MALFORMED, *UNSUITABLE])
def test_refusal(exchange: Exchange, changes: dict[str, object], status: int, code: int, message: str) -> None:
    assert refusal(exchange, {**MARKET_BUY, **changes}) == (status, {"code": code, "message": message})


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": 1},
        {"qty": "1.0"},
        {"qty": Decimal("1")},
        {"qty": "1e0"},
        {"qty": "0.30000000000000004"},
        {"notional": "", "client_order_id": "", "order_class": "", "take_profit": None, "legs": None},
        {"extended_hours": False, "order_class": "simple", "position_intent": "buy_to_open"},
        {"type": "limit", "limit_price": "1.5e2"},
        {"unknown_key": {"deep": [1]}},
    ],
)
def test_tolerated(exchange: Exchange, changes: dict[str, object]) -> None:
    assert exchange.submit({**MARKET_BUY, **changes})["status"] == "pending_new"


def test_a_client_order_id_is_unique_forever(exchange: Exchange) -> None:
    expected = (422, {"code": INVALID, "message": "client_order_id must be unique"})
    order = exchange.submit({**LIMIT_BUY, "client_order_id": "once"})
    assert refusal(exchange, {**MARKET_BUY, "client_order_id": "once"}) == expected
    orders.cancel_order(exchange, str(order["id"]))
    exchange.clock.advance(86400 * 30)
    assert refusal(exchange, {**MARKET_BUY, "client_order_id": "once"}) == expected


def test_insufficient_buying_power(exchange: Exchange) -> None:
    body = {"code": FORBIDDEN, "message": "insufficient buying power", "buying_power": "200000", "cost_basis": "250000"}
    assert refusal(exchange, {**LIMIT_BUY, "qty": 1000}) == (403, body)
    ask = exchange.market.quote("AAPL", exchange.clock.micros())[1]
    too_many = int(200_000 / (ask * Decimal("1.025"))) + 1
    assert refusal(exchange, {**MARKET_BUY, "qty": too_many})[0] == 403
    assert exchange.submit({**MARKET_BUY, "qty": too_many - 1})["status"] == "pending_new"


def test_crypto_is_bought_with_cash_only(exchange: Exchange) -> None:
    status, body = refusal(
        exchange,
        {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "gtc", "notional": "100000.01"},
    )
    assert (status, body["buying_power"], body["cost_basis"]) == (403, "100000", "100000.01")


def held(exchange: Exchange, symbol: str = "AAPL", qty: int = 5, side: str = "buy") -> None:
    exchange.submit({**MARKET_BUY, "symbol": symbol, "qty": qty, "side": side})
    exchange.clock.advance(1)


def shortage(requested: str, available: str, existing: str, on_hold: str, *related: object) -> dict[str, object]:
    message = f"insufficient qty available for order (requested: {requested}, available: {available})"
    numbers = {"available": available, "existing_qty": existing, "held_for_orders": on_hold, "symbol": "AAPL"}
    return {"code": FORBIDDEN, "message": message, **numbers, **({"related_orders": list(related)} if related else {})}


def test_selling_more_than_held_is_not_turned_into_a_short(exchange: Exchange) -> None:
    held(exchange)
    assert refusal(exchange, {**MARKET_BUY, "side": "sell", "qty": 8}) == (403, shortage("8", "5", "5", "0"))
    order = exchange.submit({**LIMIT_BUY, "side": "sell", "qty": 4, "limit_price": "400"})
    expected = shortage("2", "1", "5", "4", order["id"])
    assert refusal(exchange, {**MARKET_BUY, "side": "sell", "qty": 2}) == (403, expected)


def test_covering_more_than_the_short_is_refused(exchange: Exchange) -> None:
    held(exchange, side="sell")
    assert refusal(exchange, {**MARKET_BUY, "qty": "6"}) == (403, shortage("6", "5", "5", "0"))


def test_flat_with_a_pending_order_on_the_other_side(exchange: Exchange) -> None:
    exchange.submit(LIMIT_BUY)
    body = {"code": FORBIDDEN, "message": "cannot open a short sell while a long buy order is open"}
    assert refusal(exchange, {**MARKET_BUY, "side": "sell"}) == (403, body)
    exchange.submit({**LIMIT_BUY, "symbol": "KO", "side": "sell", "limit_price": "99"})
    body = {"code": FORBIDDEN, "message": "cannot open a long buy while a short sell order is open"}
    assert refusal(exchange, {**MARKET_BUY, "symbol": "KO"}) == (403, body)


@pytest.mark.parametrize(
    ("existing", "new", "reason"),
    [
        ({"type": "limit", "limit_price": "400"}, {}, "opposite side limit order exists"),
        (
            {"type": "limit", "limit_price": "400"},
            {"type": "limit", "limit_price": "400"},
            "opposite side limit order exists",
        ),
        ({"type": "limit", "limit_price": "400"}, {"type": "limit", "limit_price": "399.99"}, None),
        ({}, {"type": "limit", "limit_price": "100"}, "opposite side market order exists"),
        ({}, {}, "opposite side market order exists"),
    ],
)
def test_wash_trades(
    exchange: Exchange, existing: dict[str, object], new: dict[str, object], reason: str | None
) -> None:
    held(exchange)
    order = exchange.submit({**MARKET_BUY, "side": "sell", **existing})
    if reason is None:
        assert exchange.submit({**MARKET_BUY, **new})["status"] == "pending_new"
        return
    assert refusal(exchange, {**MARKET_BUY, **new}) == (
        403,
        {
            "code": FORBIDDEN,
            "message": "potential wash trade detected. use complex orders",
            "existing_order_id": order["id"],
            "reject_reason": reason,
        },
    )


def test_selling_a_rounded_up_coin_balance(exchange: Exchange) -> None:
    coin = {"symbol": "ETH/USD", "type": "market", "time_in_force": "gtc", "qty": "1"}
    exchange.submit({**coin, "side": "buy"})
    exchange.clock.advance(1)
    message = "insufficient balance for ETH (requested: 1, available: 0.9975)"
    assert refusal(exchange, {**coin, "side": "sell"}) == (403, {"code": FORBIDDEN, "message": message})
    assert exchange.submit({**coin, "side": "sell", "qty": "0.9975"})["position_intent"] == "sell_to_close"


@pytest.mark.parametrize("how", ["cash", "poor", "switch"])
def test_not_allowed_to_short(how: str) -> None:
    cash = Decimal(1999) if how == "poor" else Decimal(100_000)
    exchange = open_exchange(ExchangeOptions(speed=0, multiplier=1 if how == "cash" else 2, cash=cash))
    if how == "switch":
        exchange.configure({"no_shorting": True, "suspend_trade": None})
    body = {"code": FORBIDDEN, "message": "account is not allowed to short"}
    assert refusal(exchange, {**MARKET_BUY, "symbol": "KO", "side": "sell"}) == (403, body)


def test_suspended_by_user(exchange: Exchange) -> None:
    exchange.configure({"suspend_trade": True})
    body = {"code": FORBIDDEN, "message": "new orders are rejected by user request"}
    assert refusal(exchange, MARKET_BUY) == (403, body)
    assert exchange.account()["trade_suspended_by_user"] is True


def test_fractions_switched_off(exchange: Exchange) -> None:
    exchange.configure({"fractional_trading": False})
    body = {"code": FORBIDDEN, "message": "fractional trading is disabled for this account"}
    assert refusal(exchange, {**MARKET_BUY, "qty": "1.5"}) == (403, body)


@pytest.mark.parametrize(
    "body",
    [
        {"max_margin_multiplier": "3"},
        {"suspend_trade": "yes"},
        {"pdt_check": "never"},
        {"dtbp_check": True},
        {"max_options_trading_level": 4},
        {"max_options_trading_level": True},
        {"nonsense": 1},
    ],
)
def test_wrong_configurations(exchange: Exchange, body: dict[str, object]) -> None:
    before = exchange.configurations()
    with pytest.raises(ApiError) as caught:
        exchange.configure(body)
    assert (caught.value.status, exchange.configurations()) == (400, before)


def test_lookups_of_what_does_not_exist(exchange: Exchange) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    held(exchange)
    filled = str(orders.list_orders(exchange, {"status": "closed"})[0]["id"])
    asks = {
        lambda: orders.get_order(exchange, missing): (404, 40410000, f"order not found for {missing}"),
        lambda: orders.get_order(exchange, "nonsense"): (422, INVALID, "order_id is missing"),
        lambda: orders.get_order_by_client_id(exchange, "who"): (404, 40410000, "order not found for who"),
        lambda: orders.cancel_order(exchange, missing): (404, 40410000, f"order not found for {missing}"),
        lambda: orders.cancel_order(exchange, filled): (422, UNPROCESSABLE, 'order is already in "filled" state'),
        lambda: positions.get_position(exchange, "MSFT"): (404, 40410000, "position does not exist"),
        lambda: positions.close_position(exchange, "BTC/USD", {}): (404, 40410000, "position does not exist"),
        lambda: positions.close_position(exchange, "AAPL", {"qty": "6"}): (
            403,
            FORBIDDEN,
            shortage("6", "5", "5", "0")["message"],
        ),
        lambda: positions.close_position(exchange, "AAPL", {"percentage": "101"}): (
            422,
            INVALID,
            "percentage must be between 0 and 100",
        ),
        lambda: orders.list_orders(exchange, {"direction": "up"}): (
            422,
            INVALID,
            'direction can only be "asc" or "desc"',
        ),
        lambda: orders.list_orders(exchange, {"after": "yesterday"}): (422, INVALID, "invalid after: yesterday"),
    }
    for ask, (status, code, message) in asks.items():
        with pytest.raises(ApiError) as caught:
            ask()
        assert (caught.value.status, caught.value.body["code"], caught.value.body["message"]) == (status, code, message)


def test_a_sale_by_value_stands_alone_outside_the_session(exchange: Exchange) -> None:
    held(exchange)
    sale = {**MARKET_BUY, "side": "sell", "qty": None, "notional": "100"}
    exchange.submit(sale)
    exchange.clock.advance(36_000)
    exchange.submit(sale)
    body = {
        "code": FORBIDDEN,
        "message": "unable to open new notional orders while having open closing position orders",
    }
    assert refusal(exchange, sale) == (403, body)
    assert refusal(exchange, {**MARKET_BUY, "side": "sell"}) == (403, body)
