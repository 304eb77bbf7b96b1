"""Let the orders of a plan fill in every odd way: any order of events, partly, not at all; and watch the caps."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np

from rebalancer.core.decisions import Order
from rebalancer.core.facts import coins as pairs_of
from rebalancer.planning import plan
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.refit_increases import refit_increases
from tests.planning.checker import Exposure, broken, lots, reserved
from tests.planning.worlds import World

ZERO = Decimal(0)
SPLITS = (0.0, 0.0, 0.3, 0.7, 1.0, 1.0)


class Watched(NamedTuple):
    """What happened: the fill events, the orders of both phases, and every law that was broken."""

    events: int
    reductions: int
    increases: int
    violations: tuple[str, ...]


def watch(world: World, seed: int) -> Watched:
    """Plan, fill phase one in part, afford, fill phase two in part; check every cap after every event."""
    snapshot, rules = world
    rng = np.random.default_rng(seed)
    decided = plan(snapshot, rules)
    exposure = Exposure(snapshot, rules, decided)
    found: list[str] = []
    before = exposure.used()
    filled: dict[str, Decimal] = {}
    events = 0

    def fill(orders: list[Order]) -> None:
        nonlocal before, events
        for order, qty in _events(rng, orders):
            signed = qty if order.side == "buy" else -qty
            exposure.fill(order.symbol, signed)
            if order.phase == "reduce":
                filled[order.symbol] = filled.get(order.symbol, ZERO) + signed
            now = exposure.used()
            found.extend(f"{order.phase} {order.symbol}: {what}" for what in broken(before, now, exposure))
            before = now
            events += 1

    reductions = [o for o in decided.orders if o.phase == "reduce"]
    fill(reductions)
    sold = sum((-qty * exposure.prices[s] for s, qty in filled.items() if qty < 0), ZERO)
    kept = Decimal(str(round(float(rng.random()), 3)))
    account = snapshot.account._replace(
        buying_power=snapshot.account.buying_power + sold * kept * 2, cash=snapshot.account.cash + sold * kept
    )
    afforded = refit_increases(decided, snapshot, reconcile(snapshot), rules, account, filled)
    planned = {o.client_order_id: o for o in decided.orders if o.phase == "increase"}
    sent = {o.client_order_id for o in afforded.orders}
    if sent & set(afforded.denied) or sent | set(afforded.denied) != set(planned):
        found.append("an increase is neither sent nor denied, or both")
    for order in afforded.orders:
        first = planned[order.client_order_id]
        if not ZERO < order.qty <= first.qty or order.qty % lots(exposure.instruments[order.symbol], order, rules) != 0:
            found.append(f"{order.symbol}: {first.qty} became {order.qty}")
        if order.qty * order.price < rules.position_sizing.min_trade_size:
            found.append(f"{order.symbol}: {order.qty} shares are below the smallest trade")
        held = (exposure.low.get(order.symbol, ZERO) + exposure.high.get(order.symbol, ZERO)) / 2
        if held * (1 if order.side == "buy" else -1) < 0:
            found.append(f"{order.symbol}: {order.side} {order.qty} crosses zero from {held}")
    total, coins = reserved(afforded.orders, snapshot.quotes, pairs_of(snapshot.instruments))
    if total > max(account.buying_power, ZERO) or coins > max(account.cash, ZERO):
        found.append(f"reserve {total} of {account.buying_power}, coins {coins} of {account.cash}")
    fill(list(afforded.orders))
    return Watched(events, len(reductions), len(afforded.orders), tuple(found))


def _events(rng: np.random.Generator, orders: list[Order]) -> list[tuple[Order, Decimal]]:
    """Partial fills of every order, all mixed."""
    events: list[tuple[Order, Decimal]] = []
    for order in orders:
        share = SPLITS[int(rng.integers(len(SPLITS)))]
        step = Decimal(1) if order.qty == order.qty.to_integral_value() else Decimal("0.000001")
        total = order.qty if share == 1 else (order.qty * Decimal(str(share))).quantize(step, "ROUND_DOWN")
        first = (total * Decimal(str(round(float(rng.random()), 2)))).quantize(step, "ROUND_DOWN")
        events += [(order, qty) for qty in (first, total - first) if qty > 0]
    return [events[k] for k in rng.permutation(len(events))]
