"""Trading halts: orders rest, and go on when trading does."""

from __future__ import annotations

from pathlib import Path

from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange
from tests.exchange.helpers import HOUR, resting, send, state


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
