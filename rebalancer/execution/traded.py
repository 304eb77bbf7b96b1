"""What orders are known to have traded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from rebalancer.core.decisions import Order
from rebalancer.core.values import ZERO
from rebalancer.planning.verdicts import OrderEnd


def traded(orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> Mapping[str, Decimal]:
    """Signed shares per symbol that these orders are known to have traded."""
    found: dict[str, Decimal] = {}
    for order in orders:
        end = ends.get(order.client_order_id)
        if end is not None and end.filled_qty != 0:
            found[order.symbol] = found.get(order.symbol, ZERO) + signed(order, end.filled_qty)
    return found


def signed(order: Order, qty: Decimal) -> Decimal:
    """An order's quantity with the sign of its side."""
    return qty if order.side == "buy" else -qty
