"""At which price an order counts: the middle of the quote, or its own limit where it has one.

A limit order is filled at its limit at worst, so its limit is what its value, caps, budgets and turnover are counted
at. Where the limit lies below the middle (a sale), caps and budgets keep the middle: what is held then is worth that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from rebalancer.core.facts import Instrument, OpenOrder
from rebalancer.core.rules import Rules
from rebalancer.core.values import CENT, ZERO, Side, decimal_near, price_to_tick_for
from rebalancer.planning.validate_signals import Prices

BASIS_POINTS: Final = Decimal(10_000)
PENNY_TICK: Final = Decimal("0.0001")  # Alpaca: four decimals below one dollar, two from there on


def limit_price(side: Side, instrument: Instrument, prices: Prices, rules: Rules) -> Decimal | None:
    """A marketable limit, USD: the far side of the quote and some basis points beyond, rounded to the passive side.
    None for a market order."""
    if rules.execution.order_type == "market":
        return None
    offset = decimal_near(rules.execution.limit_offset_bps) / BASIS_POINTS
    symbol = instrument.symbol
    far = prices.ask[symbol] * (1 + offset) if side == "buy" else prices.bid[symbol] * (1 - offset)
    tick = instrument.tick
    if instrument.asset_class == "us_equity":
        tick = max(instrument.tick, CENT) if far >= 1 else PENNY_TICK
    return price_to_tick_for(side, far, tick)


def order_price(side: Side, instrument: Instrument, prices: Prices, rules: Rules) -> Decimal:
    """USD per share that an order's value is told at: its limit, else the middle of the quote."""
    limit = limit_price(side, instrument, prices, rules)
    return prices.usable[instrument.symbol] if limit is None else limit


def above_value(
    orders: Iterable[OpenOrder], worst_case: Mapping[str, Decimal], value: Mapping[str, Decimal]
) -> Mapping[str, Decimal]:
    """USD by symbol that the limits of open orders lie above what their shares are valued at, for those orders that
    lead to the worst case."""
    found: dict[str, Decimal] = {}
    for order in orders:
        rest, worst = order.remaining, worst_case.get(order.symbol, ZERO)
        if order.limit_price is not None and "limit" in order.type and rest * worst > 0:
            above = max(order.limit_price - value.get(order.symbol, order.limit_price), ZERO)
            found[order.symbol] = found.get(order.symbol, ZERO) + abs(rest) * above
    return found
