"""Report the usage of every limit before the cycle, and after all planned orders fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isinf

from rebalancer.core.decisions import LimitUse, Order
from rebalancer.core.facts import Snapshot
from rebalancer.core.limits import LimitKind
from rebalancer.core.outcomes import Outcome
from rebalancer.core.values import ZERO
from rebalancer.planning.core import codes
from rebalancer.planning.core.trades import is_at_own_cap
from rebalancer.planning.core.units import value_up
from rebalancer.planning.decided import Decided
from rebalancer.planning.explain import cap_name
from rebalancer.planning.trading_halt import day_loss, drawdown


def limit_usage(d: Decided, orders: Sequence[Order]) -> tuple[LimitUse, ...]:
    """All limits: exposure as fractions of capital, losses as fractions of equity, orders as counts."""
    snapshot, rules = d.snapshot, d.rules
    uses = _caps(d)
    risk, account = rules.risk_management, snapshot.account
    loss = day_loss(account.equity, account.last_equity)
    down = drawdown(account.equity, account.peak_equity)
    if loss is not None:
        now = max(float(loss), 0.0)
        binds = not now < risk.max_daily_loss or "daily_loss" in snapshot.latched
        uses.append(LimitUse("daily_loss", risk.max_daily_loss, now, now, binds, LimitKind.LOSS))
    if down is not None:
        now = float(down)
        binds = not now < risk.max_drawdown or "drawdown" in snapshot.latched
        uses.append(LimitUse("drawdown", risk.max_drawdown, now, now, binds, LimitKind.LOSS))
    if risk.max_positions is not None:
        uses.append(_positions(d, orders, risk.max_positions))
    if risk.max_correlated_positions is not None:
        uses += _correlated(d, orders, risk.max_correlated_positions)
    reasons = {d.denied(i) for i in range(len(d.columns.symbols))}
    sent, count = snapshot.day.orders_sent, len(orders)
    most = rules.execution.max_orders_per_execution
    at_once, a_day = Outcome.DENIED_ORDERS_PER_EXECUTION, Outcome.DENIED_ORDERS_PER_DAY
    uses.append(LimitUse("orders_per_execution", most, 0, count, at_once in reasons, LimitKind.ORDERS))
    most = risk.max_orders_per_day
    uses.append(LimitUse("orders_per_day", most, sent, sent + count, a_day in reasons, LimitKind.ORDERS))
    return tuple(uses)


def _caps(d: Decided) -> list[LimitUse]:
    """The usage of every cap, as fractions of capital. Caps of single names are listed only when they bind, since there
    is one for every name."""
    columns, targets, orders = d.columns, d.decision.targets, d.decision.orders
    capital, binding, own = columns.funds.capital, set[int](), set[int]()
    shrinking = {
        state: {g for g, factor in enumerate(factors) if factor < 1}
        for state, factors in ((codes.SILENT, targets.factor_silent), (codes.SPOKEN, targets.factor_spoken))
    }
    for i in range(len(columns.symbols)):
        state, raw = targets.state[i], targets.raw[i]
        if state != codes.FIXED and raw != 0:
            if shrinking[state]:
                binding |= shrinking[state].intersection(columns.groups.of(i, is_long=raw > 0))
            if is_at_own_cap(targets, i):
                own.add(i)
        if orders.cap[i] == codes.OWN_CAP:
            own.add(i)
        elif orders.cap[i] != codes.NO_CAP:
            binding.add(orders.cap[i])
    found = [
        LimitUse(label, limit, orders.used_before[g] / capital, orders.used_after[g] / capital, g in binding, _WEIGHT)
        for g, (label, limit) in enumerate(zip(columns.groups.labels, columns.groups.limits, strict=True))
        if not isinf(limit)
    ]
    for i in sorted(own):
        names = columns.names
        before = value_up(abs(names.worst[i]), names.price[i], names.divisor[i]) + names.above[i]
        after = value_up(abs(orders.position[i]), names.price[i], names.divisor[i]) + orders.extra[i]
        name = cap_name(columns, i, codes.OWN_CAP)
        found.append(LimitUse(name, targets.own[i], before / capital, after / capital, True, _WEIGHT))
    return found


_WEIGHT = LimitKind.WEIGHT


def _positions(d: Decided, orders: Sequence[Order], most: int) -> LimitUse:
    """The number of positions, before and with every order filled."""
    before, after = _held(d.snapshot, orders)
    binds = codes.ACCOUNT_FULL in d.decision.targets.bar
    return LimitUse("positions", most, len(before), len(after), binds, LimitKind.POSITIONS)


def _correlated(d: Decided, orders: Sequence[Order], most: int) -> list[LimitUse]:
    """The same for every correlation group that is held or ordered, or in which this limit denied an entry."""
    groups, at = d.columns.groups, d.columns.at

    def group_of(i: int) -> str:
        return groups.labels[groups.cluster[i]]

    before, after = (
        Counter(group_of(at[symbol]) for symbol in some if symbol in at) for some in _held(d.snapshot, orders)
    )
    full = {group_of(i) for i, bar in enumerate(d.decision.targets.bar) if bar == codes.GROUP_FULL}
    return [
        LimitUse(
            name.replace("correlation:", "correlated_positions:", 1),
            most,
            before[name],
            after[name],
            name in full,
            LimitKind.POSITIONS,
        )
        for name in sorted({*before, *after, *full})
    ]


def _held(snapshot: Snapshot, orders: Sequence[Order]) -> tuple[list[str], list[str]]:
    """The symbols held now, and those held once every order has filled."""
    held = {p.symbol: p.qty for p in snapshot.positions if p.qty != 0}
    after = dict(held)
    for order in orders:
        after[order.symbol] = after.get(order.symbol, ZERO) + (order.qty if order.side == "buy" else -order.qty)
    return list(held), [symbol for symbol, qty in after.items() if qty != 0]
