"""Statistics of round trips: counts, amounts and durations. None where a figure is undefined, never infinity."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.performance.round_trips import RoundTrip


class RoundTripStats(NamedTuple):
    """USD unless stated otherwise. A round trip of exactly zero is neither won nor lost. `win_rate`: won / (won +
    lost). `profit_factor`: dollars won / dollars lost; `payoff`: average win / average loss; `expectancy`: profit per
    round trip; `roi`: profit / value at entry; `slippage` only over round trips whose prices are known."""

    trips: int
    won: int
    lost: int
    win_rate: float | None
    profit: Decimal
    fees: Decimal
    slippage: Decimal
    average_win: Decimal | None
    average_loss: Decimal | None
    profit_factor: float | None
    payoff: float | None
    expectancy: Decimal | None
    best: Decimal | None
    worst: Decimal | None
    roi: float | None
    held_seconds: float | None


def round_trip_stats(trips: Sequence[RoundTrip]) -> RoundTripStats:
    """Aggregate round trips."""
    profits = [trip.profit for trip in trips]
    won, lost = [p for p in profits if p > 0], [p for p in profits if p < 0]
    average_win, average_loss = _mean(won), _mean(lost)
    profit, cost = sum(profits, ZERO), sum((t.cost for t in trips), ZERO)
    return RoundTripStats(
        trips=len(trips),
        won=len(won),
        lost=len(lost),
        win_rate=len(won) / (len(won) + len(lost)) if won or lost else None,
        profit=profit,
        fees=sum((t.fees for t in trips), ZERO),
        slippage=sum((t.slippage for t in trips if t.slippage is not None), ZERO),
        average_win=average_win,
        average_loss=average_loss,
        profit_factor=float(sum(won, ZERO) / -sum(lost, ZERO)) if lost else None,
        payoff=float(average_win / -average_loss) if average_win is not None and average_loss is not None else None,
        expectancy=_mean(profits),
        best=max(profits, default=None),
        worst=min(profits, default=None),
        roi=float(profit / cost) if cost else None,
        held_seconds=sum(t.held_seconds for t in trips) / len(trips) if trips else None,
    )


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return sum(values, ZERO) / len(values) if values else None
