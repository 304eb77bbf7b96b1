"""Find wanted trades that an execution limit denies: they make a cycle without orders CONSTRAINED instead of HOLDING.

Only execution limits count (see `outcomes.CONSTRAINING`). Caps, short-selling rules and entry restrictions are already
reflected in the target, so what they deny is no longer wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from rebalancer.core.decisions import Constrained, Plan
from rebalancer.core.outcomes import CONSTRAINING, Outcome
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.values import decimal_near
from rebalancer.planning.decided import Decided
from rebalancer.planning.verdicts import OrderEnd

PLACES: Final = Decimal("0.0001")  # a hundredth of a percentage point of capital

Denied = tuple[float, str, Outcome]


def constrain(d: Decided) -> Constrained | None:
    """Summarise the trades outside their band that an execution limit denies; None when there are none."""
    trades = d.decision.trades
    return _sum_up(
        (abs(trades.drift[i]), symbol, outcome)
        for i, symbol in enumerate(d.columns.symbols)
        if (outcome := d.denied(i)) is not None and outcome in CONSTRAINING and abs(trades.drift[i]) > trades.band[i]
    )


def constrain_after(plan: Plan, ends: Mapping[str, OrderEnd]) -> Constrained | None:
    """The same at the end of the cycle: includes orders that could not be funded after the reductions."""
    later = _sum_up(
        (order.drift, order.symbol, end.denied)
        for order in plan.orders
        if (end := ends.get(order.client_order_id)) is not None and end.denied in CONSTRAINING
    )
    if plan.constrained is None or later is None:
        return plan.constrained or later
    largest = max(plan.constrained, later, key=lambda found: found.drift)
    return largest._replace(trades=plan.constrained.trades + later.trades)


def trades_denied(found: Constrained) -> Reasons:
    """A summary: count, largest drift and its limit."""
    return because(ReasonCode.TRADES_DENIED, trades=found.trades, drift=found.drift, largest=found.largest)


def _sum_up(found: Iterable[Denied]) -> Constrained | None:
    rows = sorted(found, key=lambda row: (-row[0], row[1]))
    if not rows:
        return None
    drift, _, outcome = rows[0]
    return Constrained(len(rows), outcome, decimal_near(drift).quantize(PLACES, ROUND_HALF_EVEN))
