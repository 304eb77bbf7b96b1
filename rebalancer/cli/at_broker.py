"""What the broker holds now, for `positions`, `orders` and `export positions`. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.cli.connection import connected
from rebalancer.core.facts import Quote
from rebalancer.core.values import ZERO
from rebalancer.session.setup import Setup

ORDERS_SINCE: Final = timedelta(days=30)  # how far back ended orders are asked for
OrderStatus = Literal["open", "closed", "all"]


class PositionNow(NamedTuple):
    """One position at the broker. `price` is the middle of the quote, else the last trade, USD per share; `weight` is
    the signed `value` as a fraction of equity; `profit` is unrealised, USD, and `profit_fraction` that of the cost.
    None: no price is known."""

    symbol: str
    qty: Decimal
    qty_available: Decimal
    avg_entry_price: Decimal
    price: Decimal | None
    value: Decimal | None
    weight: float | None
    profit: Decimal | None
    profit_fraction: float | None
    asked_at: datetime


class Holdings(NamedTuple):
    """An account and its positions, by symbol. USD."""

    asked_at: datetime
    account_id: str
    equity: Decimal
    cash: Decimal
    positions: tuple[PositionNow, ...]


@contextmanager
def read_only(setup: Setup) -> Iterator[ReadOnlyBroker]:
    """The configured broker; what is read can change nothing."""
    with connected(setup) as connection:
        broker = connection.connect(setup.rules.broker)
        try:
            yield ReadOnlyBroker(broker)
        finally:
            broker.close()


def holdings(setup: Setup) -> Holdings:
    """Ask for account, positions and their quotes. Raises BrokerUnavailable and CredentialsRefused."""
    with read_only(setup) as broker:
        account = broker.account()
        held = sorted((p for p in broker.positions() if p.qty != ZERO), key=lambda position: position.symbol)
        quotes = {q.symbol: q for q in broker.quotes([p.symbol for p in held])} if held else {}
        now = broker.now()
    rows = []
    for position in held:
        price = _price(quotes.get(position.symbol))
        value = None if price is None else price * position.qty
        cost = position.avg_entry_price * position.qty
        profit = None if value is None else value - cost
        rows.append(
            PositionNow(
                *position,
                price=price,
                value=value,
                weight=None if value is None or account.equity <= 0 else float(value / account.equity),
                profit=profit,
                profit_fraction=None if profit is None or cost == 0 else float(profit / abs(cost)),
                asked_at=now,
            )
        )
    return Holdings(now, account.id, account.equity, account.cash, tuple(rows))


def newest_orders(setup: Setup, status: OrderStatus, limit: int) -> tuple[BrokerOrder, ...]:
    """The newest orders at the broker, whoever sent them, newest first; those that have ended of the last 30 days.
    Raises BrokerUnavailable and CredentialsRefused."""
    found: dict[str, BrokerOrder] = {}
    with read_only(setup) as broker:
        if status != "closed":
            found |= {order.id: order for order in broker.orders(None)}
        if status != "open":
            found |= {order.id: order for order in broker.orders(broker.now() - ORDERS_SINCE)}
    wanted = [order for order in found.values() if status == "all" or order.state.is_final == (status == "closed")]
    return tuple(sorted(wanted, key=lambda order: (order.submitted_at, order.id), reverse=True)[:limit])


def _price(quote: Quote | None) -> Decimal | None:
    """The middle of a quote with two sides, else the last trade."""
    if quote is None:
        return None
    if quote.bid is not None and quote.ask is not None and 0 < quote.bid <= quote.ask:
        return (quote.bid + quote.ask) / 2
    return quote.last
