"""Implementation shortfall: the cost of execution against the decision price (Perold 1988).

For each order: shortfall = delay + execution + missed. For the filled part, delay is from the decision price to the mid
price at arrival and execution from there to the fills; for the unfilled part, missed is from the decision price to the
end price. Positive is always a cost. Basis points are relative to the filled value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.new_york import in_new_york
from rebalancer.core.values import ZERO
from rebalancer.performance.records import OrderHistory

BP = Decimal(10_000)


class Shortfall(NamedTuple):
    """The shortfall of one order. USD, positive is a cost; None where a price is not known. `value` is the filled
    value.

    `decision` is the cost of the fills against the decision price, `arrival` against the mid price at arrival, `spread`
    the cost of the half-spread then; `missed` the profit missed on the unfilled part. `seconds` from sent to filled.
    """

    symbol: str
    hour: str
    value: Decimal
    decision: Decimal | None
    arrival: Decimal | None
    spread: Decimal | None
    missed: Decimal | None
    seconds: float | None

    @property
    def total(self) -> Decimal | None:
        """The total shortfall before fees."""
        return None if self.decision is None else self.decision + (self.missed or ZERO)


class ExecutionQuality(NamedTuple):
    """Aggregate of many orders; basis points are weighted by value over the orders for which they are known."""

    name: str
    orders: int
    value: Decimal
    arrival_bp: float | None
    decision_bp: float | None
    spread_bp: float | None
    missed: Decimal
    seconds: float | None


def shortfall_of(history: OrderHistory) -> Shortfall:
    """Compute the shortfall of one order."""
    sign = 1 if history.side == "buy" else -1
    filled, price = history.filled_qty, history.filled_avg_price or ZERO
    left = max(history.qty - filled, ZERO)

    def worse(than: Decimal | None) -> Decimal | None:
        if than is None:
            return None
        return sign * filled * (price - than)

    missed = None
    if left == ZERO:
        missed = ZERO
    elif history.end_price is not None and history.decision_price is not None:
        missed = sign * left * (history.end_price - history.decision_price)
    crossed = None if history.bid is None or history.ask is None else filled * (history.ask - history.bid) / 2
    seconds = None if history.filled_at is None else max((history.filled_at - history.sent_at).total_seconds(), 0.0)
    return Shortfall(
        symbol=history.symbol,
        hour=f"{in_new_york(history.sent_at):%H}:00",
        value=filled * price,
        decision=worse(history.decision_price),
        arrival=worse(history.mid),
        spread=crossed,
        missed=missed,
        seconds=seconds if filled else None,
    )


def quality(shortfalls: Iterable[Shortfall], key: Callable[[Shortfall], str]) -> tuple[ExecutionQuality, ...]:
    """Aggregate orders by symbol, hour or any other key, sorted by key."""
    groups: defaultdict[str, list[Shortfall]] = defaultdict(list)
    for one in shortfalls:
        groups[key(one)].append(one)
    return tuple(_quality(name, groups[name]) for name in sorted(groups))


def _quality(name: str, group: Sequence[Shortfall]) -> ExecutionQuality:
    times = [one.seconds for one in group if one.seconds is not None]
    return ExecutionQuality(
        name=name,
        orders=len(group),
        value=sum((one.value for one in group), ZERO),
        arrival_bp=_points([(one.arrival, one.value) for one in group]),
        decision_bp=_points([(one.decision, one.value) for one in group]),
        spread_bp=_points([(one.spread, one.value) for one in group]),
        missed=sum((one.missed for one in group if one.missed is not None), ZERO),
        seconds=sum(times) / len(times) if times else None,
    )


def _points(parts: Sequence[tuple[Decimal | None, Decimal]]) -> float | None:
    known = [(cost, value) for cost, value in parts if cost is not None and value > 0]
    value = sum((v for _, v in known), ZERO)
    return float(sum((c for c, _ in known), ZERO) / value * BP) if value else None
