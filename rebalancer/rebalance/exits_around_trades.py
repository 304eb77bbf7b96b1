"""Protection around the orders of a cycle: resting exits are withdrawn before their symbol trades and placed
afterwards.

What a signal said about closing its position is recorded with the orders that it led to, so that the stops and targets
placed are those of the newest signal. How long a position was without its exits is measured, and reported when it was
too long.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rebalancer.core.decisions import Order
from rebalancer.core.facts import Instrument, Position, Snapshot
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.execution.exit_orders.signal_exits import record_signal_exits, signal_exits
from rebalancer.execution.exit_orders.unprotected_time import still_rows
from rebalancer.execution.order_tracking import NO_INFORMATION
from rebalancer.execution.pretrade import latched_because
from rebalancer.planning.exit_levels import ExitLevel, exit_levels
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.rebalance.world import World


def withdraw_exits(world: World, orders: Sequence[Order]) -> Mapping[str, OrderEnd]:
    """Withdraw the resting exits of these orders' symbols. Returns, by client order id, an end for every order that may
    not be sent because its symbol could not be freed. Under the kill switch, while the throttle is latched, and while
    this process is being stopped, no order will be sent, so resting exits are left alone: under the first two they
    could not be placed again."""
    if not orders or world.is_stopping() or world.kill.reason(world.account_id) is not None:
        return {}
    if latched_because(world.journal, world.account_id) is not None:
        return {}
    blocked = world.protection.release({o.symbol for o in orders})
    return {
        o.client_order_id: OrderEnd(o.client_order_id, OrderState.NOT_SENT, ZERO, None, stated(blocked[o.symbol]))
        for o in orders
        if o.symbol in blocked
    }


def place_exits(
    world: World, rules: Rules, snapshot: Snapshot, orders: Sequence[Order], positions: Sequence[Position]
) -> None:
    """Record the exits given by the signals behind these orders, and protect the positions as they are now. Without
    newer reference data, that of the snapshot serves."""
    record_signal_exits(world.journal, snapshot, orders)
    if rules.protection.mode == "broker" or any(one.lives for one in world.protection.kept().values()):
        try:
            levels = exit_levels_of(world, rules, positions)
        except NO_INFORMATION:  # after the close, for one, when the day's data no longer serves
            levels = _levels(world, rules, positions, snapshot.instruments)
        world.protection.place(levels)
        if rules.protection.mode == "broker":
            _record_unprotected(world, rules, snapshot, {p.symbol for p in positions if p.qty != ZERO})


def report_unprotected(world: World, rules: Rules, snapshot: Snapshot) -> None:
    """Record the positions whose exits this cycle withdrew and could not place again because the account could not be
    read."""
    if rules.protection.mode == "broker":
        _record_unprotected(world, rules, snapshot, {p.symbol for p in snapshot.positions})


def _record_unprotected(world: World, rules: Rules, snapshot: Snapshot, held: Collection[str]) -> None:
    """Record and report which positions have lost their exits in this cycle and have none in place now. A position new
    in this cycle is reported only when that has lasted too long; until then its first pair is still being placed."""
    now, before = world.broker.now(), {p.symbol for p in snapshot.positions if p.qty != ZERO}
    rows = still_rows(world.protection.kept(), held, before, snapshot.as_of, now, rules)
    if rows:
        world.journal.record_events(world.account_id, snapshot.cycle_id, now, rows)


def exit_levels_of(world: World, rules: Rules, positions: Sequence[Position]) -> tuple[ExitLevel, ...]:
    """The stops and targets of these positions, from the signals behind them or from the rules. Raises
    BrokerUnavailable when the reference data must be read but cannot."""
    symbols = sorted({p.symbol for p in positions})
    return _levels(world, rules, positions, world.reference.read(symbols, world.broker.now()).instruments)


def _levels(
    world: World, rules: Rules, positions: Sequence[Position], instruments: Sequence[Instrument]
) -> tuple[ExitLevel, ...]:
    known = {i.symbol: i for i in instruments}
    named = signal_exits(world.journal, world.account_id)
    return exit_levels(positions, known, named, rules.protection, world.broker.venue)
