"""A decision of the numeric core as orders and targets in exact decimals, and its caps checked once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import isinf
from typing import Final

from rebalancer.core.decisions import Order, Phase, Target
from rebalancer.core.reasons import Reasons
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning.build_order import Trade, build_order
from rebalancer.planning.core import codes
from rebalancer.planning.core.construct import held_weight
from rebalancer.planning.decided import OWN_CAP_RULES, Decided
from rebalancer.planning.explain import increase_reasons, reduce_reasons
from rebalancer.planning.pricing import above_value, order_price

GRAIN: Final = Decimal("1e-12")  # of capital: weights are decided in whole trillionths


class CapExceeded(Exception):
    """A plan whose increases would exceed a cap. It is a fault of the planner: the cycle halts, and nothing of the plan
    is sent."""


def orders_of(d: Decided) -> tuple[Order, ...]:
    """The orders in the order of sending."""
    instruments = {i.symbol: i for i in d.snapshot.instruments}
    return tuple(
        build_order(
            trade, d.snapshot.account.id, d.snapshot.cycle_id, instruments[trade.symbol], d.prices, d.rules, leads=leads
        )
        for trade, leads in _trades(d)
    )


def _trades(d: Decided) -> Iterator[tuple[Trade, bool]]:
    """The trades in the order of sending; whether each is the first of its phase."""
    orders, columns, drift = d.decision.orders, d.columns, d.decision.trades.drift
    phases: tuple[tuple[Phase, list[int], list[int]], ...] = (
        ("reduce", orders.reduce_order, orders.reduce),
        ("increase", orders.increase_order, orders.increase),
    )
    for phase, rows, units in phases:
        why = reduce_reasons if phase == "reduce" else increase_reasons
        for place, i in enumerate(rows):
            qty = columns.shares(i, units[i])
            yield Trade(columns.symbols[i], phase, qty, abs(drift[i]), Reasons.later(why, d, i)), place == 0


def targets_of(d: Decided) -> tuple[Target, ...]:
    """The targets of all names that can be traded, in symbol order."""
    columns, opinions, targets, trades = d.columns, *d.decision[:3]
    names = columns.names
    return tuple(
        Target(
            symbol=symbol,
            raw_weight=targets.raw[i],
            weight=targets.weight[i],
            qty=columns.shares(i, trades.target[i]),
            factors=d.factors(i),
            score=opinions.score[i],
            confidence=opinions.confidence[i],
            volatility=names.volatility[i] if columns.is_known[i] else None,
            volatility_scale=opinions.scale[i],
            own_cap=targets.own[i],
            own_cap_name=OWN_CAP_RULES[targets.own_rule[i]],
            price=d.prices.usable[symbol],
            held_qty=d.book.held.get(symbol, ZERO),
            pending_qty=d.book.pending.get(symbol, ZERO),
            held_weight=held_weight(names, i, columns.funds.capital),
            drift=trades.drift[i],
            band=trades.band[i],
            implied=targets.state[i] == codes.SILENT,
        )
        for i, symbol in enumerate(columns.symbols)
        if targets.state[i] != codes.FIXED
    )


def refuse_exceeded_caps(d: Decided, orders: Sequence[Order]) -> None:
    """Check every cap that an increase counts towards in decimals, sharing no arithmetic with the core. Raises
    CapExceeded."""
    increased = {o.symbol: o for o in orders if o.phase == "increase"}
    if not increased:
        return
    columns, book, value = d.columns, d.book, d.prices.value
    after = dict(book.worst_case)
    for order in orders:
        after[order.symbol] = after.get(order.symbol, ZERO) + (order.qty if order.side == "buy" else -order.qty)
    instruments = {i.symbol: i for i in d.snapshot.instruments}
    extra = dict(above_value(d.snapshot.open_orders, book.worst_case, value))
    for symbol, order in increased.items():
        beyond = order_price(order.side, instruments[symbol], d.prices, d.rules) - value[symbol]
        extra[symbol] = extra.get(symbol, ZERO) + order.qty * max(beyond, ZERO)
    capital = d.snapshot.account.equity - d.rules.selection.withdraw
    capital *= decimal_near(d.rules.position_sizing.capital_scaling)
    used = [ZERO] * len(columns.groups.labels)
    limits = [decimal_near(limit) if not isinf(limit) else None for limit in columns.groups.limits]
    touched: set[int] = set()
    for i, symbol in enumerate(columns.symbols):
        shares = after.get(symbol, ZERO)
        if not shares:
            continue
        money = abs(shares) * value.get(symbol, ZERO) + extra.get(symbol, ZERO)
        groups = columns.groups.of(i, is_long=shares > 0)
        for g in groups:
            used[g] += money
        if symbol in increased:
            touched.update(groups)
            own = decimal_near(d.decision.targets.own[i])
            if money > (own + GRAIN) * capital:
                raise CapExceeded(f"position:{symbol} would be {money / capital:.6%} of capital, its cap is {own:%}")
    for g in sorted(touched):
        limit = limits[g]
        if limit is not None and used[g] > (limit + GRAIN) * capital:
            name = columns.groups.labels[g]
            raise CapExceeded(f"{name} would be {used[g] / capital:.6%} of capital, its cap is {limit:%}")
