"""The worst case: what is held, and what every open, unknown or in-flight order may still do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.facts import OpenOrder
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Quotes
from rebalancer.core.values import ZERO
from rebalancer.execution.pretrade.attempts import Attempt
from rebalancer.execution.pretrade.readings import Readings, collared, is_good, worth


class PositionRange(NamedTuple):
    """One symbol: signed shares held, unsigned shares that other orders may still buy and sell, and the highest limit
    of the orders on each side, USD; zero where none has one."""

    held: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO
    buy_limit: Decimal = ZERO
    sell_limit: Decimal = ZERO

    def with_order(self, side: str, qty: Decimal, limit: object) -> PositionRange:
        """The same range with one more order in flight; limit: its limit price, if it has one."""
        high = limit if isinstance(limit, Decimal) and is_good(limit) and qty != ZERO else ZERO
        if side == "buy":
            return self._replace(buys=self.buys + qty, buy_limit=max(self.buy_limit, high))
        return self._replace(sells=self.sells + qty, sell_limit=max(self.sell_limit, high))


def position_ranges(
    readings: Readings, baseline: Mapping[str, Attempt], attempts: Mapping[str, Attempt], on_the_way: Sequence[str]
) -> dict[str, PositionRange]:
    """The current position range of every symbol.

    baseline: the attempts as known when the positions were read; their fills since then, and all fills of later
    attempts, have moved the positions. on_the_way: ids of attempts that count as sent though the journal has only their
    intent.
    """
    found = {symbol: PositionRange(qty) for symbol, qty in readings.positions.items()}

    def add(symbol: str, held: Decimal, side: str, qty: Decimal, limit: Decimal | None) -> None:
        one = found.get(symbol, PositionRange())
        found[symbol] = one._replace(held=one.held + held).with_order(side, qty, limit)

    listed = {order.client_order_id for order in readings.open_orders}
    for one in attempts.values():
        before = baseline.get(one.client_order_id)
        moved = one.signed_filled - (before.signed_filled if before is not None else ZERO)
        went = one.state is not OrderState.INTENDED or one.client_order_id in on_the_way or before is not None
        rest = one.may_fill if went and one.client_order_id not in listed else ZERO
        add(one.symbol, moved, one.side, rest, one.limit_price)
    for order in readings.open_orders:
        rest = _left(order, attempts.get(order.client_order_id))
        add(order.symbol, ZERO, order.side, rest, order.limit_price if "limit" in order.type else None)
    return found


def _left(order: OpenOrder, known: Attempt | None) -> Decimal:
    """Unsigned shares that an open order may still trade; NaN when it has no quantity and the number is unknown."""
    if known is not None and known.state.is_final:
        return ZERO
    if not (order.qty.is_finite() and order.filled_qty.is_finite()):
        return Decimal("NaN")
    filled = order.filled_qty if known is None else max(order.filled_qty, known.filled)
    return max(order.qty - filled, ZERO)


def worst_value(readings: Readings, symbol: str, standing: PositionRange, rules: Quotes) -> Decimal | None:
    """The largest absolute USD value that a symbol's position can reach; None when unknown."""
    if not all(part.is_finite() for part in standing):
        return None
    now = abs(standing.held)
    bought, sold = abs(standing.held + standing.buys), abs(standing.held - standing.sells)
    most = max(bought, sold, now)
    if most == ZERO:
        return ZERO
    price, high = worth(readings, symbol, rules), collared(readings, symbol, rules)
    if price is None or high is None:
        return None
    limit = max(standing.buy_limit if bought == most else ZERO, standing.sell_limit if sold == most else ZERO)
    return now * price + (most - now) * max(high, limit)


def worst_gross(readings: Readings, found: Mapping[str, PositionRange], rules: Quotes) -> tuple[Decimal | None, str]:
    """The largest gross USD value that all positions can reach; or None and the symbol whose value is unknown."""
    total = ZERO
    for symbol, standing in found.items():
        value = worst_value(readings, symbol, standing, rules)
        if value is None:
            return None, symbol
        total += value
    return total, ""
