"""The life of an order, on an exchange without sockets whose clock is stepped by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.values import utc_of
from rebalancer.exchange import orders, positions
from rebalancer.exchange.calendar import micros_of
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import open_exchange

HOUR = 3600.0


def buy(exchange: Exchange, symbol: str = "AAPL", **fields: object) -> dict[str, object]:
    body = {"symbol": symbol, "side": "buy", "type": "market", "time_in_force": "day", **fields}
    return exchange.submit(body)


def state(exchange: Exchange, order: dict[str, object]) -> dict[str, object]:
    return orders.get_order(exchange, str(order["id"]))


def price(exchange: Exchange, symbol: str = "AAPL") -> Decimal:
    return exchange.market.last(symbol, exchange.clock.micros())


def test_a_market_order_is_pending_then_new_then_filled_at_the_ask(exchange: Exchange) -> None:
    order = buy(exchange, qty="3", client_order_id="one")
    seen = [order["status"]]
    for _ in range(2):
        exchange.clock.advance(0.02)
        seen.append(state(exchange, order)["status"])
    assert seen == ["pending_new", "new", "filled"]
    filled = state(exchange, order)
    ask = exchange.market.quote("AAPL", micros_of(utc_of(str(filled["filled_at"]))))[1]
    assert filled == {
        **order,
        "status": "filled",
        "filled_qty": "3",
        "filled_avg_price": str(ask),
        "filled_at": "2026-11-20T15:05:00.040000Z",
        "updated_at": "2026-11-20T15:05:00.040000Z",
    }
    assert Decimal(str(exchange.account()["cash"])) == 100_000 - 3 * ask


def test_the_order_object_has_every_key_of_the_api(exchange: Exchange) -> None:
    assert buy(exchange, notional="250.5", client_order_id="n") == {
        "id": "cannot be known", "client_order_id": "n", "created_at": "2026-11-20T15:05:00Z",
        "updated_at": "2026-11-20T15:05:00Z", "submitted_at": "2026-11-20T15:05:00Z", "filled_at": None,
        "expired_at": None, "expires_at": "2026-11-20T21:00:00Z", "canceled_at": None, "failed_at": None,
        "replaced_at": None, "replaced_by": None, "replaces": None, "asset_id": exchange_asset("AAPL"),
        "symbol": "AAPL", "asset_class": "us_equity", "notional": "250.5", "qty": None, "filled_qty": "0",
        "filled_avg_price": None, "order_class": "", "order_type": "market", "type": "market", "side": "buy",
        "position_intent": "buy_to_open", "time_in_force": "day", "limit_price": None, "stop_price": None,
        "status": "pending_new", "extended_hours": False, "legs": None, "trail_percent": None, "trail_price": None,
        "hwm": None, "ratio_qty": None, "subtag": None, "source": "access_key",
    } | {"id": orders.get_order_by_client_id(exchange, "n")["id"]}  # fmt: skip


def exchange_asset(symbol: str) -> str:
    from rebalancer.exchange.views import asset_id

    return asset_id(symbol)


def test_equal_histories_carry_equal_ids() -> None:
    first, second = (open_exchange(ExchangeOptions(speed=0)) for _ in range(2))
    assert buy(first, qty=1) == buy(second, qty=1)


def test_a_notional_order_buys_a_fraction_and_never_more_than_asked(exchange: Exchange) -> None:
    order = buy(exchange, notional=1000)
    exchange.clock.advance(1)
    filled = state(exchange, order)
    qty, average = Decimal(str(filled["filled_qty"])), Decimal(str(filled["filled_avg_price"]))
    assert (filled["status"], filled["qty"]) == ("filled", None)
    assert 1000 - average / 10**9 < qty * average <= 1000


def test_partial_fills_end_filled() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=1))
    order = buy(exchange, qty="10")
    exchange.clock.advance(0.05)
    partly = state(exchange, order)
    assert partly["status"] == "partially_filled"
    assert 3 <= int(str(partly["filled_qty"])) <= 7
    exchange.clock.advance(1)
    assert (state(exchange, order)["status"], state(exchange, order)["filled_qty"]) == ("filled", "10")


def test_a_tenth_of_the_orders_fill_in_two_parts() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, cash=Decimal(10**8)))
    for _ in range(400):
        buy(exchange, qty="10")
    exchange.clock.advance(60)
    rows = orders.list_orders(exchange, {"status": "all", "limit": "500"})
    assert {row["status"] for row in rows} == {"filled"}
    fills = exchange.store.activities(
        kinds={"FILL"}, order_id=None, after=None, until=2**60, ascending=True, beyond=None, limit=2000
    )
    assert 20 <= len(fills) - 400 <= 60


def test_limit_orders_fill_when_their_price_is_reached_and_no_worse(exchange: Exchange) -> None:
    last = price(exchange)
    limits = [str((last * Decimal(factor)).quantize(Decimal("0.01"))) for factor in ("1.001", "0.999", "0.997", "0.9")]
    sent = [buy(exchange, type="limit", qty=1, limit_price=limit) for limit in limits]
    exchange.clock.advance(10)
    assert [state(exchange, order)["status"] for order in sent] == ["filled", "new", "new", "new"]
    exchange.clock.advance(8 * HOUR)
    ended = [state(exchange, order) for order in sent]
    assert [order["status"] for order in ended] == ["filled", "filled", "filled", "expired"]
    for order, limit in zip(ended[:3], limits, strict=False):
        at = micros_of(utc_of(str(order["filled_at"])))
        paid = Decimal(str(order["filled_avg_price"]))
        assert paid == exchange.market.quote("AAPL", at)[1] <= Decimal(limit)
        if order is not ended[0]:
            assert exchange.market.quote("AAPL", at - 1)[1] > Decimal(limit)


def run_with_polls(polls: Sequence[float]) -> tuple[object, ...]:
    """One fixed morning of orders, looked at after each of the given pauses (seconds)."""
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0.5))
    last = price(exchange)
    for number, factor in enumerate(("1.001", "0.999", "0.998", "0.996", "0.99")):
        limit = str((last * Decimal(factor)).quantize(Decimal("0.01")))
        force = "gtc" if number % 2 else "day"
        buy(exchange, type="limit", qty=5 + number, limit_price=limit, time_in_force=force)
    buy(exchange, "BTC/USD", notional=500, time_in_force="gtc")
    left = 3 * 24 * HOUR
    for pause in polls:
        exchange.clock.advance(min(pause, left))
        left -= min(pause, left)
        exchange.account()
    exchange.clock.advance(left)
    rows = orders.list_orders(exchange, {"status": "all"})
    return rows, exchange.account(), positions.list_positions(exchange)


@cache
def run_unobserved() -> tuple[object, ...]:
    return run_with_polls(())


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(0.001, 12 * HOUR), max_size=8))
def test_how_often_one_looks_changes_nothing(polls: list[float]) -> None:
    exact = [round(pause, 3) for pause in polls]
    assert run_with_polls(exact) == run_unobserved()


def test_a_day_order_expires_at_the_close(exchange: Exchange) -> None:
    order = buy(exchange, type="limit", qty=1, limit_price="100")
    exchange.clock.advance(8 * HOUR)
    ended = state(exchange, order)
    assert (ended["status"], ended["expired_at"]) == ("expired", "2026-11-20T21:00:00Z")


def test_a_gtc_order_outlives_the_close_and_ends_after_90_days(exchange: Exchange) -> None:
    order = buy(exchange, type="limit", qty=1, limit_price="1", time_in_force="gtc")
    exchange.clock.advance(30 * 24 * HOUR)
    assert state(exchange, order)["status"] == "new"
    exchange.clock.advance(61 * 24 * HOUR)
    ended = state(exchange, order)
    assert (ended["status"], ended["canceled_at"]) == ("canceled", order["expires_at"])


def test_ioc_fills_or_is_cancelled_at_once(exchange: Exchange) -> None:
    far = buy(exchange, type="limit", qty=1, limit_price="100", time_in_force="ioc")
    near = buy(exchange, type="limit", qty=1, limit_price="400", time_in_force="ioc")
    exchange.clock.advance(0.1)
    assert [state(exchange, o)["status"] for o in (far, near)] == ["canceled", "filled"]


def test_an_order_sent_while_closed_is_accepted_and_fills_after_the_next_open(exchange: Exchange) -> None:
    exchange.clock.advance(10 * HOUR)
    order = buy(exchange, qty=1)
    assert (order["status"], order["expires_at"]) == ("accepted", "2026-11-23T21:00:00Z")
    exchange.clock.advance(24 * HOUR)
    assert state(exchange, order)["status"] == "accepted"
    exchange.clock.advance(48 * HOUR)
    assert state(exchange, order)["filled_at"] == "2026-11-23T14:30:00.040000Z"


def test_crypto_trades_at_night_and_pays_its_fee_in_coins(exchange: Exchange) -> None:
    exchange.clock.advance(10 * HOUR)
    order = buy(exchange, "BTCUSD", qty="0.1", time_in_force="gtc")
    assert (order["symbol"], order["status"]) == ("BTC/USD", "pending_new")
    exchange.clock.advance(1)
    assert state(exchange, order)["filled_qty"] == "0.1"
    held = positions.get_position(exchange, "BTCUSD")
    assert (held["symbol"], held["qty"], held["qty_available"]) == ("BTCUSD", "0.09975", "0.09975")
    closing = positions.close_position(exchange, "BTCUSD", {})
    assert (closing["time_in_force"], closing["qty"]) == ("gtc", "0.09975")
    exchange.clock.advance(1)
    assert positions.list_positions(exchange) == []


def test_cancelling(exchange: Exchange) -> None:
    order = buy(exchange, type="limit", qty=1, limit_price="100")
    orders.cancel_order(exchange, str(order["id"]))
    assert state(exchange, order)["status"] == "pending_cancel"
    orders.cancel_order(exchange, str(order["id"]))
    exchange.clock.advance(0.02)
    assert (state(exchange, order)["status"], state(exchange, order)["canceled_at"]) == (
        "canceled",
        "2026-11-20T15:05:00.020000Z",
    )
    orders.cancel_order(exchange, str(order["id"]))  # a repeat is harmless
    assert state(exchange, order)["status"] == "canceled"


def test_a_fill_can_overtake_a_cancellation() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, partial_fill_probability=0))
    order = buy(exchange, qty=1)
    exchange.clock.advance(0.03)
    orders.cancel_order(exchange, str(order["id"]))
    exchange.clock.advance(0.02)
    assert state(exchange, order)["status"] == "filled"


def test_cancel_all_answers_for_every_order(exchange: Exchange) -> None:
    sent = [buy(exchange, type="limit", qty=1, limit_price=str(100 + n)) for n in range(3)]
    assert [(row["id"], row["status"]) for row in orders.cancel_all(exchange)] == [(o["id"], 200) for o in sent]
    exchange.clock.advance(1)
    assert [state(exchange, o)["status"] for o in sent] == ["canceled"] * 3
    assert orders.cancel_all(exchange) == []


def test_open_orders_reserve_buying_power_until_they_end(exchange: Exchange) -> None:
    def power() -> Decimal:
        return Decimal(str(exchange.account()["buying_power"]))

    assert power() == 200_000
    order = buy(exchange, type="limit", qty=100, limit_price="200")
    assert power() == 180_000
    orders.cancel_order(exchange, str(order["id"]))
    exchange.clock.advance(1)
    assert power() == 200_000
    ask = exchange.market.quote("AAPL", exchange.clock.micros())[1]
    buy(exchange, qty=100)
    assert power() == (200_000 - 100 * ask * Decimal("1.025")).quantize(Decimal("0.01"), rounding="ROUND_DOWN")


@pytest.mark.parametrize(("multiplier", "power"), [(1, "100000"), (2, "200000"), (4, "400000")])
def test_buying_power_of_a_flat_account(multiplier: int, power: str) -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, multiplier=multiplier))
    account = exchange.account()
    assert (account["buying_power"], account["multiplier"]) == (power, str(multiplier))
    assert account["non_marginable_buying_power"] == "100000"


def test_an_account_below_2000_trades_cash_only() -> None:
    account = open_exchange(ExchangeOptions(speed=0, cash=Decimal("1999.99"))).account()
    assert (account["multiplier"], account["buying_power"], account["shorting_enabled"]) == ("1", "1999.99", False)


def test_a_short_is_opened_and_covered(exchange: Exchange) -> None:
    opening = exchange.submit(
        {
            "symbol": "KO",
            "side": "sell",
            "type": "market",
            "time_in_force": "day",
            "qty": 10,
            "position_intent": "sell_to_open",
        }
    )
    exchange.clock.advance(1)
    held = positions.get_position(exchange, "KO")
    assert (opening["position_intent"], held["side"], held["qty"]) == ("sell_to_open", "short", "-10")
    assert Decimal(str(held["market_value"])) < 0
    cover = positions.close_position(exchange, "KO", {"percentage": "55"})
    assert (cover["side"], cover["qty"], cover["position_intent"]) == ("buy", "5", "buy_to_close")
    exchange.clock.advance(1)
    assert positions.get_position(exchange, "KO")["qty"] == "-5"


def test_last_equity_is_that_of_the_previous_close_and_day_gains_start_there() -> None:
    exchange = open_exchange(ExchangeOptions(speed=0, holdings="starter"))
    account = exchange.account()
    assert account["last_equity"] == "100000"
    day_gain = sum(Decimal(str(p["unrealized_intraday_pl"])) for p in positions.list_positions(exchange))
    assert Decimal(str(account["equity"])) - 100_000 == day_gain
    exchange.clock.advance(7 * HOUR)  # after the close, still the same day
    evening = exchange.account()
    assert evening["last_equity"] == "100000"
    exchange.clock.advance(9 * HOUR)
    assert exchange.account()["last_equity"] == evening["equity"]
    assert {str(p["unrealized_intraday_pl"]) for p in positions.list_positions(exchange)} == {"0"}


def test_a_partial_sale_keeps_the_average_and_a_further_buy_moves_it(exchange: Exchange) -> None:
    first = buy(exchange, qty=4)
    exchange.clock.advance(600)
    exchange.submit({"symbol": "AAPL", "side": "sell", "type": "market", "time_in_force": "day", "qty": 1})
    exchange.clock.advance(600)
    paid = Decimal(str(state(exchange, first)["filled_avg_price"]))
    held = positions.get_position(exchange, "AAPL")
    assert (held["qty"], Decimal(str(held["avg_entry_price"])), held["cost_basis"]) == ("3", paid, str(3 * paid))
    assert Decimal(str(held["unrealized_pl"])) == 3 * (Decimal(str(held["current_price"])) - paid)
    second = buy(exchange, qty=1)
    exchange.clock.advance(600)
    more = Decimal(str(state(exchange, second)["filled_avg_price"]))
    assert more != paid
    assert Decimal(str(positions.get_position(exchange, "AAPL")["avg_entry_price"])) == (3 * paid + more) / 4


def test_listing_filters_and_bounds(exchange: Exchange) -> None:
    for number in range(6):
        buy(exchange, ("AAPL", "MSFT")[number % 2], type="limit", qty=1, limit_price="10", client_order_id=f"c{number}")
        exchange.clock.advance(60)
    orders.cancel_order(exchange, str(orders.get_order_by_client_id(exchange, "c0")["id"]))
    exchange.clock.advance(1)

    def listed(**parameters: str) -> list[object]:
        return [row["client_order_id"] for row in orders.list_orders(exchange, parameters)]

    assert listed() == ["c5", "c4", "c3", "c2", "c1"]
    assert listed(status="closed") == ["c0"]
    assert listed(status="all", direction="asc", limit="2") == ["c0", "c1"]
    assert listed(status="all", symbols="MSFT,ZZZ", direction="asc") == ["c1", "c3", "c5"]
    third = str(orders.get_order_by_client_id(exchange, "c2")["submitted_at"])
    assert listed(status="all", after=third) == ["c5", "c4", "c3"]
    assert listed(status="all", until=third) == ["c1", "c0"]
    assert listed(side="sell") == []
    assert listed(limit="-1") == listed(limit="9999") == listed()
