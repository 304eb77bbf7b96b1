"""Protection around the orders of a cycle: resting exits are taken down before their symbol trades and put up after.

What a signal said about leaving its position is noted with the orders that it led to, so that the stops and targets
that are put up are those of the newest opinion. How long a position was without its exits is measured, and told when
that was too long.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from rebalancer.decide.protect import Guard, protect
from rebalancer.decide.settle import OrderEnd
from rebalancer.decisions import Order
from rebalancer.facts import Position, Snapshot
from rebalancer.observe import World
from rebalancer.outcomes import OrderState
from rebalancer.rules import Rules
from rebalancer.values import ZERO, time_text
from rebalancer.world.protection.opinions import note_opinions, opinions
from rebalancer.world.protection.records import TAKEN_DOWN, Kept

GAP: Final = "protection_gap"


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
        before = world.protection.kept()
        world.protection.place(guards_of(world, rules, positions))
        if rules.protection.mode == "broker":
            _note_gaps(world, rules, snapshot, before, {p.symbol for p in positions if p.qty != ZERO})


def tell_bare(world: World, rules: Rules, snapshot: Snapshot) -> None:
    """Note the positions whose exits this cycle has taken down and could not put up again, for want of an account."""
    if rules.protection.mode == "broker":
        _note_gaps(world, rules, snapshot, world.protection.kept(), {p.symbol for p in snapshot.positions})


def _note_gaps(
    world: World, rules: Rules, snapshot: Snapshot, before: Mapping[str, Kept], held: Collection[str]
) -> None:
    """Write down how long each position, held before and after this cycle, was without the exits that it took down."""
    now, after = world.broker.now(), world.protection.kept()
    longest = rules.protection.max_unprotected_seconds
    rows: list[tuple[str, str, dict[str, object]]] = []
    for symbol in sorted({p.symbol for p in snapshot.positions if p.qty != ZERO}.intersection(held)):
        down, since_then = before.get(symbol), after.get(symbol)
        if down is None or since_then is None or down.because != TAKEN_DOWN or down.at < snapshot.as_of:
            continue
        is_up = since_then.state == "open"
        seconds = ((since_then.at if is_up else now) - down.at).total_seconds()
        rows.append((GAP, symbol, {"from": time_text(down.at), "seconds": seconds, "is_up": is_up}))
        if seconds > longest or not is_up:
            said = f"{symbol}: without stop and target for {seconds:,.0f} s, because of a trade"
            said += "" if is_up else f", and still: {since_then.because or since_then.state}"
            level = "warning" if is_up else "action"
            rows.append(("alert", symbol, {"level": level, "code": "unprotected", "text": said}))
    if rows:
        world.journal.record_events(world.account_id, snapshot.cycle_id, now, rows)


def guards_of(world: World, rules: Rules, positions: Sequence[Position]) -> tuple[Guard, ...]:
    """The stops and targets of these positions, as the signals behind them or the rules say."""
    symbols = sorted({p.symbol for p in positions})
    sheet = world.reference.sheet(symbols, world.broker.now())
    instruments = {i.symbol: i for i in sheet.instruments}
    return protect(positions, instruments, opinions(world.journal, world.account_id), rules.protection)
