"""Stops and trailing stops."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import HOUR, cents, held, last, send, state

STEP = 15 * MICROS


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
