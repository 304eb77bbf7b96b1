"""Opening the account: the first deposit and, for a newcomer, a few positions bought at the previous close."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Final, Literal

from rebalancer.core.values import CENT
from rebalancer.exchange.books import computed_id
from rebalancer.exchange.calendar import MICROS, new_york_day
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.order import Order
from rebalancer.exchange.views import asset_id

Holdings = Literal["starter", "none"]
STARTER: Final = {  # fractions of the opening cash
    "AAPL": Decimal("0.09"),
    "JPM": Decimal("0.07"),
    "XOM": Decimal("0.09"),
}


def open_account(exchange: Exchange, cash: Decimal, holdings: Holdings, now: int) -> None:
    """Deposit the cash and buy the holdings at the last close before the day of `now`. Raises ValueError
    for an impossible amount."""
    if not cash.is_finite() or cash < 0 or cash != cash.quantize(CENT) or cash >= 10**12:
        raise ValueError(f"cash {cash} is not an amount of dollars and cents, such as 100000")
    session = exchange.sessions.last_closed(now)
    if new_york_day(session.close) == new_york_day(now):  # today's own close is not yet "the last close"
        session = exchange.sessions.before(session)
    store, at = exchange.store, session.close
    store.set_meta("created_at", str(at - 60 * MICROS))
    exchange.books.fund(at - 60 * MICROS, cash)
    if holdings == "starter":
        for number, (symbol, fraction) in enumerate(STARTER.items(), start=1):
            _buy(exchange, number, symbol, cash * fraction, at)
    numbers = exchange.numbers(at)
    store.set_day_equity(session.day, numbers.equity, numbers.maintenance_margin)
    store.set_meta("caught_up", str(at))


def _buy(exchange: Exchange, seq: int, symbol: str, value: Decimal, at: int) -> None:
    """Record a filled market order for the whole shares that the value buys, none when it buys none."""
    if symbol not in exchange.market.listings:
        raise ValueError(f"{symbol} is not recorded: a replay without it begins with no holdings")
    price = exchange.market.last(symbol, at)
    qty = (value / price).quantize(Decimal(1), rounding=ROUND_FLOOR)
    if not qty:
        return
    order = Order(
        seq=seq,
        id=computed_id(exchange.market.seed, "order", str(seq)),
        client_order_id=f"starter-{symbol}",
        symbol=symbol,
        asset_id=asset_id(symbol),
        asset_class="us_equity",
        side="buy",
        type="market",
        time_in_force="day",
        qty=qty,
        notional=None,
        limit_price=None,
        position_intent="buy_to_open",
        status="filled",
        submitted_at=at - MICROS,
        updated_at=at,
        live_at=at,
        fill_from=at,
        expires_at=at,
        reserve_price=price,
        filled_at=at,
    )
    exchange.books.fill(order, qty, price, at, complete=True)
    exchange.store.put_order(order)
