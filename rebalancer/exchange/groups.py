"""Orders that depend on each other: legs on their entry, exits on each other, replacements on what they replace.

`follow` is asked after every step of an order. It reacts at the same moment:

1. a replacement takes over, or is rejected when the old order closed before it could;
2. a filled entry wakes its legs, an entry that closed otherwise cancels them;
3. a filled exit cancels its sibling, a partly filled one shrinks it, a cancelled one cancels the whole group.
"""

from __future__ import annotations

from rebalancer.core.values import ZERO
from rebalancer.exchange import matching
from rebalancer.exchange.faults.venue import cancel_moment, fills_first
from rebalancer.exchange.order import Order
from rebalancer.exchange.state import State


def follow(state: State, order: Order, at: int) -> None:
    """Let the orders that depend on this one react to its last step."""
    if order.replaced_by is not None and not order.is_open:
        _take_over(state, order, at)
    if order.status == "replaced" or not order.order_class:
        return
    if order.is_entry:
        _follow_entry(state, order, at)
    else:
        _follow_exit(state, order, at)


def family(state: State, order: Order) -> list[Order]:
    """The open orders of the same group, without this one."""
    head = order.parent or order.id
    return [o for o in state.orders.values() if head in (o.parent, o.id) and o is not order]


def _take_over(state: State, old: Order, at: int) -> None:
    assert old.replaced_by is not None
    new = state.orders.get(old.replaced_by)
    if new is None or not new.is_open:
        return
    assert new.qty is not None
    new.qty -= old.filled_qty - new.carried
    new.carried = old.filled_qty
    if old.status == "replaced" and new.qty > ZERO:
        for leg in state.store.legs(old.id):
            live = state.orders.get(leg.id, leg)
            live.parent = new.id
            state.store.put_order(live)
    else:  # nothing is left to replace
        if old.status != "replaced":
            old.replaced_by = None
            state.store.put_order(old)  # its events have been told
        new.qty += new.carried
        new.status, new.failed_at, new.updated_at = "rejected", at, at
    state.keep(new)


def _follow_entry(state: State, entry: Order, at: int) -> None:
    if entry.is_open:
        return
    for leg in family(state, entry):
        if entry.status == "filled" and leg.status == "held":
            leg.status, leg.updated_at = "new", at
            leg.live_at, leg.fill_from = at, at + state.latency()
            state.keep(leg)
        elif entry.status != "filled":
            cancel(state, leg, at, at_once=True)


def _follow_exit(state: State, leg: Order, at: int) -> None:
    if leg.status in ("filled", "canceled"):
        for other in family(state, leg):
            if other.is_open:  # an earlier one of this loop may have closed it
                cancel(state, other, at, at_once=True)
    elif leg.is_open and leg.filled_qty:
        assert leg.qty is not None
        for other in family(state, leg):
            rest = other.filled_qty + leg.qty - leg.filled_qty
            if not other.is_entry and other.qty != rest:
                other.qty, other.updated_at = rest, at
                state.keep(other)


def cancel(state: State, order: Order, at: int, *, at_once: bool = False) -> None:
    """Request an open order's cancellation inside the caller's request; it takes effect half a latency later."""
    if order.cancel_at is not None and not at_once:
        return
    if at_once:
        matching.carry_out(order, matching.Step(at, "cancel"), state.venue(0.0))
    else:
        order.status, order.updated_at, order.cancel_at = "pending_cancel", at, cancel_moment(state, order, at)
    state.keep(order)
    if at_once:
        follow(state, order, at)
    elif not order.is_dormant and fills_first(state, order, at):
        state.keep(order)
        follow(state, order, at)
