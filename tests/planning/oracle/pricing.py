"""The price at which an order is valued: its limit if it has one, else the mid price.

A limit order fills at its limit at worst, so its value, caps, budgets and turnover are computed at the limit. Where the
limit is below the mid (a sale), caps and budgets use the mid, which is the value of the shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from rebalancer.core.facts import Instrument, OpenOrder
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, Side, decimal_near, price_to_tick_for
from rebalancer.planning.validate_signals import Prices

BASIS_POINTS: Final = Decimal(10_000)


def limit_price(side: Side, instrument: Instrument, prices: Prices, rules: Rules) -> Decimal | None:
    """A marketable limit, USD: the far side of the quote plus `limit_offset_bps` beyond it, rounded to the passive
    side. None for a market order."""
    if rules.execution.order_type == "market":
        return None
    offset = decimal_near(rules.execution.limit_offset_bps) / BASIS_POINTS
    symbol = instrument.symbol
    far = prices.ask[symbol] * (1 + offset) if side == "buy" else prices.bid[symbol] * (1 - offset)
    return price_to_tick_for(side, far, prices.venue.tick(instrument.asset_class, instrument.tick, far))


def order_price(side: Side, instrument: Instrument, prices: Prices, rules: Rules) -> Decimal:
    """USD per share at which an order is valued: its limit, else the mid price."""
    limit = limit_price(side, instrument, prices, rules)
    return prices.usable[instrument.symbol] if limit is None else limit


def above_value(
    orders: Iterable[OpenOrder], worst_case: Mapping[str, Decimal], value: Mapping[str, Decimal]
) -> Mapping[str, Decimal]:
    """USD by symbol by which open orders at their limits cost more than their shares are valued at, counting only the
    orders that contribute to the worst case."""
    found: dict[str, Decimal] = {}
    for order in orders:
        rest, worst = order.remaining, worst_case.get(order.symbol, ZERO)
        if order.limit_price is not None and "limit" in order.type and rest * worst > 0:
            above = max(order.limit_price - value.get(order.symbol, order.limit_price), ZERO)
            found[order.symbol] = found.get(order.symbol, ZERO) + abs(rest) * above
    return found
