"""Protection around the orders of a cycle: resting exits are taken down before their symbol trades and put up after.

What a signal said about leaving its position is noted with the orders that it led to, so that the stops and targets
that are put up are those of the newest opinion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rebalancer.decide.protect import Guard, protect
from rebalancer.decide.settle import OrderEnd
from rebalancer.decisions import Order
from rebalancer.facts import Position, Snapshot
from rebalancer.observe import World
from rebalancer.outcomes import OrderState
from rebalancer.rules import Rules
from rebalancer.values import ZERO
from rebalancer.world.protection.opinions import note_opinions, opinions


def take_down(world: World, orders: Sequence[Order]) -> Mapping[str, OrderEnd]:
    """Free the symbols of these orders from their resting exits. Returns an end for every order that may not be sent,
    because its symbol could not be freed, by client order id."""
    blocked = world.protection.release({o.symbol for o in orders}) if orders else {}
    return {
        o.client_order_id: OrderEnd(o.client_order_id, OrderState.NOT_SENT, ZERO, None, blocked[o.symbol])
        for o in orders
        if o.symbol in blocked
    }


def put_up(
    world: World, rules: Rules, snapshot: Snapshot, orders: Sequence[Order], positions: Sequence[Position]
) -> None:
    """Note what the signals behind these orders said, and protect the positions as they are now."""
    note_opinions(world.journal, snapshot, orders)
    if rules.protection.mode == "broker" or any(one.lives for one in world.protection.kept().values()):
        world.protection.place(guards_of(world, rules, positions))


def guards_of(world: World, rules: Rules, positions: Sequence[Position]) -> tuple[Guard, ...]:
    """The stops and targets of these positions, as the signals behind them or the rules say."""
    symbols = sorted({p.symbol for p in positions})
    sheet = world.reference.sheet(symbols, world.broker.now())
    instruments = {i.symbol: i for i in sheet.instruments}
    return protect(positions, instruments, opinions(world.journal, world.account_id), rules.protection)
