"""What the tests of the exchange say again and again: send an order, hold a position, be refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from rebalancer.exchange import orders
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.records import list_activities

HOUR, DAY = 3600.0, 86_400.0
UNPROCESSABLE, FORBIDDEN, INVALID = 42210000, 40310000, 40010001
Row = dict[str, object]


def send(exchange: Exchange, side: str = "buy", symbol: str = "AAPL", **fields: object) -> Row:
    """Place a market order for ten shares, unless the fields say otherwise."""
    body = {"symbol": symbol, "side": side, "type": "market", "time_in_force": "day", "qty": "10", **fields}
    return exchange.submit(body)


def held(exchange: Exchange, qty: str = "10", symbol: str = "AAPL", side: str = "buy") -> None:
    """Trade, and wait a second for the fill."""
    send(exchange, side, symbol, qty=qty)
    exchange.clock.advance(1)
    exchange.catch_up()


def resting(exchange: Exchange, **fields: object) -> Row:
    """A limit order that stays, a second old."""
    order = send(exchange, **{"type": "limit", "limit_price": "200", "time_in_force": "gtc", **fields})
    exchange.clock.advance(1)
    return order


def state(exchange: Exchange, order: Row) -> Row:
    """An order as it stands now."""
    return orders.get_order(exchange, str(order["id"]))


def last(exchange: Exchange, symbol: str = "AAPL") -> Decimal:
    """The latest trade, USD."""
    return exchange.market.last(symbol, exchange.clock.micros())


def cents(value: Decimal) -> str:
    """A price in cents."""
    return str(value.quantize(Decimal("0.01")))


def refused(call: Callable[[], object]) -> tuple[int, object, object]:
    """Status, code and message of the refusal that a call ends in."""
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status, caught.value.body["code"], caught.value.body["message"]


def kinds(exchange: Exchange, *names: str) -> list[Row]:
    """Activities of some types, oldest first, without ids and words."""
    rows = list_activities(exchange, None, {"activity_types": ",".join(names), "direction": "asc"})
    return [
        {k: row[k] for k in row if k not in ("id", "status", "description", "created_at", "currency")} for row in rows
    ]


def cash(exchange: Exchange) -> Decimal:
    """Exact cash, USD."""
    exchange.catch_up()
    return exchange.books.cash


def live(exchange: Exchange, **changes: bool) -> None:
    """Switch charges on, or what the changes say."""
    exchange.behaviour = exchange.behaviour._replace(**(changes or {"charges": True}))
