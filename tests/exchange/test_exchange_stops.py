"""Stops, trailing stops, replacements, auctions, extended hours and halts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.exchange import orders
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.positions import get_position
from rebalancer.exchange.replacement import replace_order
from rebalancer.exchange.starter import ExchangeOptions, open_exchange

HOUR = 3600.0
STEP = 15 * MICROS
UNPROCESSABLE, FORBIDDEN, INVALID = 42210000, 40310000, 40010001


def send(exchange: Exchange, side: str = "buy", **fields: object) -> dict[str, object]:
    body = {"symbol": "AAPL", "side": side, "type": "market", "time_in_force": "day", "qty": "10", **fields}
    return exchange.submit(body)


def held(exchange: Exchange, qty: str = "10", symbol: str = "AAPL", side: str = "buy") -> None:
    send(exchange, side, symbol=symbol, qty=qty)
    exchange.clock.advance(1)


def state(exchange: Exchange, order: dict[str, object]) -> dict[str, object]:
    return orders.get_order(exchange, str(order["id"]))


def last(exchange: Exchange, symbol: str = "AAPL") -> Decimal:
    return exchange.market.last(symbol, exchange.clock.micros())


def cents(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.01")))


def refused(call: object) -> tuple[int, object, object]:
    assert callable(call)
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status, caught.value.body["code"], caught.value.body["message"]


def trades_until(exchange: Exchange, seconds: float, symbol: str = "AAPL") -> list[tuple[int, Decimal]]:
    """Moments and trades from now on, each time the price can change."""
    now = exchange.clock.micros()
    return [(at, exchange.market.last(symbol, at)) for at in range(now, now + round(seconds * MICROS), STEP)]


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_a_stop_is_triggered_by_the_first_trade_that_reaches_it(exchange: Exchange, side: str) -> None:
    held(exchange, side="buy" if side == "sell" else "sell")
    ahead = trades_until(exchange, 5 * HOUR)
    extreme = min(p for _, p in ahead) if side == "sell" else max(p for _, p in ahead)
    stop = ((last(exchange) + extreme) / 2).quantize(Decimal("0.01"))
    order = send(exchange, side, type="stop", stop_price=str(stop))
    assert (order["status"], order["stop_price"], order["limit_price"]) == ("pending_new", str(stop).rstrip("0"), None)
    first = next(at for at, price in ahead if (price <= stop if side == "sell" else price >= stop))
    exchange.clock.advance((first - exchange.clock.micros()) / MICROS - 20)
    assert state(exchange, order)["status"] == "new"
    exchange.clock.advance(40)
    done = state(exchange, order)
    assert done["status"] == "filled"
    quote = exchange.market.quote("AAPL", first + 15 * MICROS)
    assert Decimal(str(done["filled_avg_price"])) in (*exchange.market.quote("AAPL", first), *quote)


def test_a_stop_limit_waits_for_its_limit_after_the_trigger(exchange: Exchange) -> None:
    held(exchange)
    price = last(exchange)
    order = send(exchange, "sell", type="stop_limit", stop_price=cents(price), limit_price=cents(price * 2))
    exchange.clock.advance(60)
    assert state(exchange, order)["status"] == "new"
    assert exchange.orders[str(order["id"])].triggered_at is not None


def test_a_buy_stop_does_not_pay_more_than_its_collar(exchange: Exchange) -> None:
    order = send(exchange, type="stop", stop_price=cents(last(exchange) * Decimal("0.5")))
    exchange.clock.advance(HOUR)
    assert state(exchange, order)["status"] == "new"  # triggered at once, but its limit is 2.5 % above the stop
    assert exchange.orders[str(order["id"])].worst_price is not None


def test_open_stops_reserve_with_their_collar(exchange: Exchange) -> None:
    send(exchange, type="stop", stop_price="400", qty="100")
    assert exchange.account()["buying_power"] == str(200_000 - 41_000)


@pytest.mark.parametrize("trail", [{"trail_price": "0.60"}, {"trail_percent": "0.25"}])
def test_a_trailing_stop_follows_the_best_trade_and_fires_on_the_way_back(
    exchange: Exchange, trail: dict[str, str]
) -> None:
    held(exchange)
    order = send(exchange, "sell", type="trailing_stop", time_in_force="gtc", **trail)
    best = last(exchange)
    assert order["hwm"] == str(best)
    exchange.clock.advance(0.1)
    while (row := state(exchange, order))["status"] == "new":
        trade = last(exchange)
        best = max(best, trade)
        away = Decimal("0.60") if "trail_price" in trail else best * Decimal("0.0025")
        assert Decimal(str(row["hwm"])) == best
        assert Decimal(str(row["stop_price"])) == (best - away).quantize(Decimal("0.01"), rounding="ROUND_FLOOR")
        assert trade > best - away
        exchange.clock.advance(15)
    exchange.clock.advance(1)
    assert state(exchange, order)["status"] == "filled"
    assert Decimal(str(state(exchange, order)["filled_avg_price"])) < best


def test_how_often_one_looks_does_not_move_a_trailing_stop() -> None:
    ends = []
    for pause in (7.0, 3_600.0, 86_400.0):
        exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0))
        held(exchange)
        order = send(exchange, "sell", type="trailing_stop", time_in_force="gtc", trail_percent="1.5")
        for _ in range(round(86_400 / pause)):
            exchange.clock.advance(pause)
            state(exchange, order)
        exchange.clock.advance(86_400 * 20)
        ends.append(state(exchange, order))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0]["status"] == "filled"


def test_stops_rest_outside_the_core_session(exchange: Exchange) -> None:
    held(exchange)
    exchange.clock.advance(7 * HOUR)
    order = send(exchange, "sell", type="stop", stop_price=cents(last(exchange) * 2), time_in_force="gtc")
    assert order["status"] == "accepted"
    exchange.clock.advance(10 * HOUR)
    assert state(exchange, order)["status"] == "accepted"
    exchange.clock.advance(60 * HOUR)
    assert state(exchange, order)["filled_at"] == "2026-11-23T14:30:00.080000Z"


def resting(exchange: Exchange, **fields: object) -> dict[str, object]:
    order = send(exchange, **{"type": "limit", "limit_price": "200", "time_in_force": "gtc", **fields})
    exchange.clock.advance(1)
    return order


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


def test_fill_or_kill_is_never_partial() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=1))
    near = send(exchange, type="limit", limit_price="400", time_in_force="fok")
    far = send(exchange, type="limit", limit_price="100", time_in_force="fok")
    exchange.clock.advance(0.05)
    assert [state(exchange, o)["status"] for o in (near, far)] == ["filled", "canceled"]
    assert state(exchange, near)["filled_qty"] == "10"


def test_auction_orders_trade_at_the_print_of_the_auction(exchange: Exchange) -> None:
    closing = send(exchange, time_in_force="cls")
    away = send(exchange, time_in_force="cls", type="limit", limit_price="100")
    exchange.clock.advance(5.5 * HOUR)
    exchange.clock.advance(0.5 * HOUR)
    close = exchange.sessions.last_closed(exchange.clock.micros()).close
    done = state(exchange, closing)
    assert (done["status"], done["filled_at"]) == ("filled", "2026-11-20T21:00:00Z")
    assert Decimal(str(done["filled_avg_price"])) == exchange.market.last("AAPL", close)
    assert state(exchange, away)["status"] == "canceled"
    exchange.clock.advance(4 * HOUR)  # 20:05 in New York
    opening = send(exchange, time_in_force="opg")
    assert opening["status"] == "accepted"
    exchange.clock.advance(70 * HOUR)
    done = state(exchange, opening)
    assert (done["status"], done["filled_at"]) == ("filled", "2026-11-23T14:30:00Z")
    opens = exchange.sessions.last_opened(exchange.clock.micros()).open
    assert Decimal(str(done["filled_avg_price"])) == exchange.market.last("AAPL", opens)


def test_auction_orders_have_windows(exchange: Exchange) -> None:
    opg = (403, FORBIDDEN, "opg orders must be submitted after 7:00pm and before 9:28am")
    cls = (403, FORBIDDEN, "cls orders must be submitted after 7:00pm and before 3:55pm")
    assert refused(lambda: send(exchange, time_in_force="opg")) == opg
    exchange.clock.advance(5 * HOUR + 45 * 60)  # 15:50
    assert refused(lambda: send(exchange, time_in_force="cls")) == cls
    exchange.clock.advance(3 * HOUR + 10 * 60)  # 19:00
    assert send(exchange, time_in_force="opg")["status"] == send(exchange, time_in_force="cls")["status"] == "accepted"
    exchange.clock.advance(7 * 24 * HOUR - 6 * HOUR - 10 * 60)  # Friday after Thanksgiving, a half day, 12:50
    assert exchange.sessions.current(exchange.clock.micros()) is not None
    assert refused(lambda: send(exchange, time_in_force="cls")) == cls


def test_extended_hours_orders_trade_before_and_after_the_core_session(exchange: Exchange) -> None:
    exchange.clock.advance(6 * HOUR)  # 16:05
    price = cents(last(exchange) + 1)
    late = send(exchange, type="limit", limit_price=price, extended_hours=True)
    assert (late["status"], late["extended_hours"], late["expires_at"]) == ("pending_new", True, "2026-11-21T01:00:00Z")
    plain = send(exchange, type="limit", limit_price=price)
    exchange.clock.advance(1)
    assert [state(exchange, o)["status"] for o in (late, plain)] == ["filled", "accepted"]
    away = send(exchange, type="limit", limit_price="100", extended_hours=True)
    exchange.clock.advance(3 * HOUR + 55 * 60)  # 20:00
    assert state(exchange, away)["status"] == "expired"
    exchange.clock.advance(14 * HOUR)  # Saturday 10:00: no session until Sunday 20:00
    weekend = send(exchange, symbol="KO", type="limit", limit_price="99", extended_hours=True)
    assert (weekend["status"], weekend["expires_at"]) == ("accepted", "2026-11-24T01:00:00Z")
    illiquid = send(exchange, symbol="NVR", qty="1", type="limit", limit_price="9999", extended_hours=True)
    exchange.clock.advance(35 * HOUR)  # Sunday 21:00, overnight
    assert state(exchange, weekend)["filled_at"] == "2026-11-23T01:00:00.040000Z"
    assert state(exchange, illiquid)["status"] == "accepted"
    exchange.clock.advance(8 * HOUR)  # Monday 05:00
    assert state(exchange, illiquid)["filled_at"] == "2026-11-23T09:00:00.040000Z"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "extended hours order must be DAY or GTC limit orders"),
        ({"type": "limit", "limit_price": "9", "time_in_force": "ioc"},
         "extended hours order must be DAY or GTC limit orders"),
        ({"type": "stop", "stop_price": "9"}, "stop orders are not eligible for extended hours trading"),
        ({"type": "trailing_stop", "trail_price": "9"}, "stop orders are not eligible for extended hours trading"),
    ],
)  # fmt: skip
def test_the_matrix_of_extended_hours(exchange: Exchange, fields: dict[str, object], words: str) -> None:
    assert refused(lambda: send(exchange, extended_hours=True, **fields)) == (422, UNPROCESSABLE, words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "stop", "stop_price": "9", "time_in_force": "ioc"}, "stop orders must be DAY or GTC orders"),
        ({"type": "trailing_stop", "trail_price": "9", "time_in_force": "opg"},
         "trailing stop orders must be DAY or GTC orders"),
        ({"type": "stop", "stop_price": "9", "symbol": "BTC/USD", "time_in_force": "gtc"},
         "invalid order type for crypto order"),
        ({"type": "stop_limit", "stop_price": "9", "limit_price": "9", "symbol": "BTC/USD", "time_in_force": "ioc"},
         "invalid crypto time_in_force"),
        ({"qty": "0.5", "type": "trailing_stop", "trail_price": "9"},
         "fractional orders must be market, limit, stop or stop_limit orders"),
        ({"type": "stop", "stop_price": "9.001"},
         "invalid stop_price 9.001. sub-penny increment does not fulfill minimum pricing criteria"),
    ],
)  # fmt: skip
def test_the_matrix_of_types(exchange: Exchange, fields: dict[str, object], words: str) -> None:
    assert refused(lambda: send(exchange, **fields)) == (422, UNPROCESSABLE, words)


def test_crypto_has_stop_limits(exchange: Exchange) -> None:
    price = last(exchange, "BTC/USD")
    body = {"symbol": "BTC/USD", "qty": "0.1", "time_in_force": "gtc", "type": "stop_limit"}
    order = send(exchange, stop_price=cents(price), limit_price=cents(price * 2), **body)
    exchange.clock.advance(1)
    assert state(exchange, order)["status"] in ("new", "filled")
    exchange.clock.advance(24 * HOUR)
    assert state(exchange, order)["status"] == "filled"


def test_orders_rest_while_their_asset_is_halted(exchange: Exchange) -> None:
    before = resting(exchange, limit_price="200")
    now = exchange.clock.micros()
    exchange.schedule_halt(Halt("AAPL", now + 60 * MICROS, now + 3600 * MICROS))
    exchange.clock.advance(120)
    during = send(exchange)
    other = send(exchange, symbol="KO")
    exchange.clock.advance(HOUR / 2)
    assert [state(exchange, o)["status"] for o in (before, during, other)] == ["new", "accepted", "filled"]
    exchange.clock.advance(HOUR)
    resumed = state(exchange, during)
    assert (resumed["status"], exchange.orders.keys()) == ("filled", {str(before["id"])})
    assert resumed["filled_at"] == "2026-11-20T16:05:01.040000Z"


def test_a_halt_to_the_end_of_the_day_expires_day_orders_and_survives_a_restart(tmp_path: object) -> None:
    from pathlib import Path

    options = ExchangeOptions(Path(str(tmp_path)) / "state.db", speed=0)
    exchange = open_exchange(options)
    now = exchange.clock.micros()
    exchange.schedule_halt(Halt("AAPL", now, now + 10**13))
    order = send(exchange)
    exchange.close()
    exchange = open_exchange(options)
    exchange.clock.advance(8 * HOUR)
    assert state(exchange, order)["status"] == "expired"
    exchange.close()


def test_a_halt_can_end_early(exchange: Exchange) -> None:
    now = exchange.clock.micros()
    exchange.schedule_halt(Halt("AAPL", now, now + 10**13))
    order = send(exchange)
    exchange.clock.advance(60)
    exchange.end_halts("AAPL")
    exchange.clock.advance(1)
    assert state(exchange, order)["status"] == "filled"
