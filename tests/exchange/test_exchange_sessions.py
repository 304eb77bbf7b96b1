"""Fill or kill, auctions, extended hours, and which type goes with which time in force."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from rebalancer.exchange import orders
from rebalancer.exchange.calendar import micros_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.faults.rules import faults_of
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import DAY, FORBIDDEN, HOUR, UNPROCESSABLE, cents, last, refused, send, state


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


@pytest.mark.parametrize("force", ["cls", "opg"])
@pytest.mark.parametrize("partial", [False, True])
def test_a_cancellation_that_loses_the_race_loses_it_in_the_auction(
    exchange: Exchange, force: str, partial: bool
) -> None:
    """An auction order has no other moment to fill: the fault may not fill it in the middle of the session."""
    rule = {"kind": "cancel_race", "times": 1, "partial": partial}
    exchange.faults.put(faults_of({"rules": [rule]}, str).rules)
    exchange.clock.advance(10 * HOUR if force == "opg" else 0)
    loser, winner = (send(exchange, time_in_force=force) for _ in range(2))
    exchange.clock.advance(60)
    for order in (loser, winner):
        orders.cancel_order(exchange, str(order["id"]))
    exchange.clock.advance(60)
    assert [state(exchange, one)["status"] for one in (loser, winner)] == ["pending_cancel", "canceled"]
    exchange.clock.advance(3 * DAY)
    done = state(exchange, loser)
    at = "2026-11-23T14:30:00Z" if force == "opg" else "2026-11-20T21:00:00Z"
    assert (done["status"], done["filled_at"], done["filled_qty"]) == ("filled", at, "10")
    moment = micros_of(datetime.fromisoformat(at))
    assert Decimal(str(done["filled_avg_price"])) == exchange.market.last("AAPL", moment)


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
