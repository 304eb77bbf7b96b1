"""Orders that depend on each other: legs on their entry, exits on each other, replacements on what they replace.

`follow` is asked after every step of an order. It reacts at the same moment:

1. a replacement takes over, or is rejected when the old order closed before it could;
2. a filled entry wakes its legs, an entry that closed otherwise cancels them;
3. a filled exit cancels its sibling, a partly filled one shrinks it, a cancelled one cancels the whole group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebalancer.exchange.order import Order
from rebalancer.values import ZERO

if TYPE_CHECKING:
    from rebalancer.exchange.core import Exchange


def follow(exchange: Exchange, order: Order, at: int) -> None:
    """Let the orders that depend on this one react to its last step."""
    if order.replaced_by is not None and not order.is_open:
        _take_over(exchange, order, at)
    if order.status == "replaced" or not order.order_class:
        return
    if order.is_entry:
        _follow_entry(exchange, order, at)
    else:
        _follow_exit(exchange, order, at)


def family(exchange: Exchange, order: Order) -> list[Order]:
    """The open orders of the same group, without this one."""
    head = order.parent or order.id
    return [o for o in exchange.orders.values() if head in (o.parent, o.id) and o is not order]


def _take_over(exchange: Exchange, old: Order, at: int) -> None:
    assert old.replaced_by is not None
    new = exchange.orders.get(old.replaced_by)
    if new is None or not new.is_open:
        return
    assert new.qty is not None
    new.qty -= old.filled_qty - new.carried
    new.carried = old.filled_qty
    if old.status == "replaced" and new.qty > ZERO:
        for leg in exchange.store.legs(old.id):
            live = exchange.orders.get(leg.id, leg)
            live.parent = new.id
            exchange.store.put_order(live)
    else:  # nothing is left to replace
        if old.status != "replaced":
            old.replaced_by = None
            exchange.store.put_order(old)  # its events have been told
        new.qty += new.carried
        new.status, new.failed_at, new.updated_at = "rejected", at, at
    exchange.keep(new)


def _follow_entry(exchange: Exchange, entry: Order, at: int) -> None:
    if entry.is_open:
        return
    for leg in family(exchange, entry):
        if entry.status == "filled" and leg.status == "held":
            leg.status, leg.updated_at = "new", at
            leg.live_at, leg.fill_from = at, at + exchange.latency()
            exchange.keep(leg)
        elif entry.status != "filled":
            exchange.cancel(leg, at, at_once=True)


def _follow_exit(exchange: Exchange, leg: Order, at: int) -> None:
    if leg.status in ("filled", "canceled"):
        for other in family(exchange, leg):
            if other.is_open:  # an earlier one of this loop may have closed it
                exchange.cancel(other, at, at_once=True)
    elif leg.is_open and leg.filled_qty:
        assert leg.qty is not None
        for other in family(exchange, leg):
            rest = other.filled_qty + leg.qty - leg.filled_qty
            if not other.is_entry and other.qty != rest:
                other.qty, other.updated_at = rest, at
                exchange.keep(other)
