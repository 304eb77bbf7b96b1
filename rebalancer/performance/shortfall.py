"""Implementation shortfall: what lay between the decision and what came of it (Perold 1988).

For each order: shortfall = delay + execution + missed, with delay from the decision price to the middle of the quote at
arrival, execution from there to the fills, both for what was filled, and missed for what was not, from the decision to
the end price. Plus is always a cost. Basis points are of the value that was filled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.performance.fees import NEW_YORK
from rebalancer.performance.records import OrderHistory

BP = Decimal(10_000)


class Shortfall(NamedTuple):
    """Of one order. USD, plus is a cost; None where a price is not known. `value` is what was filled, at fill prices.

    `decision` is the cost of the fills against the decision price, `arrival` against the middle of the quote, `spread`
    the half-spread that stood there; `missed` what the unfilled rest would have won. `seconds` from sent to filled.
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
        """The whole shortfall before fees."""
        return None if self.decision is None else self.decision + (self.missed or ZERO)


class ExecutionQuality(NamedTuple):
    """Many orders together; basis points weighted by value, over the orders for which they are known."""

    name: str
    orders: int
    value: Decimal
    arrival_bp: float | None
    decision_bp: float | None
    spread_bp: float | None
    missed: Decimal
    seconds: float | None


def shortfall_of(history: OrderHistory) -> Shortfall:
    """What one order cost."""
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
        hour=f"{history.sent_at.astimezone(NEW_YORK):%H}:00",
        value=filled * price,
        decision=worse(history.decision_price),
        arrival=worse(history.mid),
        spread=crossed,
        missed=missed,
        seconds=seconds if filled else None,
    )


def quality(shortfalls: Iterable[Shortfall], key: Callable[[Shortfall], str]) -> tuple[ExecutionQuality, ...]:
    """Add orders up by symbol, by hour, or by anything else, in the order of the names."""
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
