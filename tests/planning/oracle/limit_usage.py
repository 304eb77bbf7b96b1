"""Report the usage of every limit before the cycle, and after all planned orders fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from rebalancer.core.decisions import LimitUse, Order
from rebalancer.core.facts import Snapshot
from rebalancer.core.limits import LimitKind
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.planning.trading_halt import day_loss, drawdown
from tests.planning.oracle.construct_targets import ProposedTargets
from tests.planning.oracle.limit_book import LimitBook
from tests.planning.oracle.phase import Denial


def limit_usage(
    snapshot: Snapshot,
    proposed: ProposedTargets,
    before: LimitBook,
    after: LimitBook,
    orders: Sequence[Order],
    denied: Mapping[str, Denial],
    cut: Set[str],
    rules: Rules,
) -> tuple[LimitUse, ...]:
    """All limits: exposure as fractions of capital, losses as fractions of equity, orders as counts.

    before, after: the limit book at the start of the cycle and with all orders filled. cut: the caps that denied or
    reduced an increase.
    """
    binding = {name for a in proposed.targets for name in a.factors}
    binding |= {f"position:{a.symbol}" for a in proposed.targets if a.raw != 0 and abs(a.weight) >= a.own_cap - 1e-12}
    binding |= cut
    uses = before.usage(after, binding)
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
        uses.append(_positions(snapshot, proposed, orders, risk.max_positions))
    if risk.max_correlated_positions is not None:
        uses += _correlated(snapshot, proposed, orders, risk.max_correlated_positions)
    reasons = {d.outcome for d in denied.values()}
    sent, count = snapshot.day.orders_sent, len(orders)
    uses.append(
        LimitUse(
            "orders_per_execution",
            rules.execution.max_orders_per_execution,
            0,
            count,
            Outcome.DENIED_ORDERS_PER_EXECUTION in reasons,
            LimitKind.ORDERS,
        )
    )
    uses.append(
        LimitUse(
            "orders_per_day",
            risk.max_orders_per_day,
            sent,
            sent + count,
            Outcome.DENIED_ORDERS_PER_DAY in reasons,
            LimitKind.ORDERS,
        )
    )
    return tuple(uses)


def _positions(snapshot: Snapshot, proposed: ProposedTargets, orders: Sequence[Order], most: int) -> LimitUse:
    """The number of positions, before and with every order filled."""
    before, after = _held(snapshot, orders)
    binds = any(a.denial is Outcome.DENIED_POSITIONS for a in proposed.targets)
    return LimitUse("positions", most, len(before), len(after), binds, LimitKind.POSITIONS)


def _correlated(snapshot: Snapshot, proposed: ProposedTargets, orders: Sequence[Order], most: int) -> list[LimitUse]:
    """The same for every correlation group that is held or ordered, or in which this limit denied an entry."""
    before, after = (
        Counter(proposed.groups.of[symbol][-1] for symbol in some if symbol in proposed.groups.of)
        for some in _held(snapshot, orders)
    )
    full = {
        proposed.groups.of[a.symbol][-1] for a in proposed.targets if a.denial is Outcome.DENIED_CORRELATED_POSITIONS
    }
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
