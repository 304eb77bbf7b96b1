"""Costs learned from our own fills: half spread, market impact and delay, with intervals, shrunk to the model.

A filled order cost `delay` from the price of its decision to the middle of the quote when it was sent, and from there
to its fills

    half spread + impact x volatility of a day x square root of its share of a day's volume      (basis points)

which is the cost model of the backtest. Half spread and impact come from a Bayesian linear regression whose prior is
the model, worth `PRIOR_ORDERS` orders; the delay from a mean with a prior of nought. Intervals hold 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.facts import TradingCosts
from rebalancer.performance.records import OrderHistory
from rebalancer.research.market import CostModel

PRIOR_ORDERS: Final = 20
NORMAL_95: Final = 1.96
BP: Final = 10_000.0
USUAL_LOAD: Final = 5.0  # basis points: 150 a day x the root of a thousandth of the volume
USUAL_NOISE: Final = 5.0  # basis points, before there are enough orders to see it
ORDER_MOST: Final = 500.0  # basis points: what one order cost beyond it says that its quote was wrong
PLACES: Final = 4  # of a basis point, in snapshots


class FilledOrder(NamedTuple):
    """One filled order, in basis points of its price, positive is a cost. execution: from arrival to the fills. delay:
    from decision to arrival. load: volatility of a day x root of the share of a day's volume; None where the volume is
    not known. value: USD."""

    execution: float
    delay: float | None
    load: float | None
    value: float
    symbol: str = ""

    @property
    def total(self) -> float:
        """From decision to the fills."""
        return self.execution + (self.delay or 0.0)


class Estimate(NamedTuple):
    """A figure with half the width of its interval."""

    value: float
    plus_minus: float


class LearnedCosts(NamedTuple):
    """half_spread, delay: basis points. impact: the coefficient of the square root. model, live: the cost of the orders
    that were filled, by the model and in truth, from the decision on. orders: filled ones; with_volume: those whose
    impact could be seen."""

    half_spread: Estimate
    impact: Estimate
    delay: Estimate
    model: float
    live: Estimate
    orders: int
    with_volume: int

    @property
    def sentence(self) -> str:
        """Model and truth in one line; without an order nothing is known of the truth."""
        if not self.orders:
            return f"model {self.model:.1f} bp, no order to compare with"
        live = f"{self.live.value:.1f} ± {self.live.plus_minus:.1f}"
        return f"model {self.model:.1f} bp, live {live} bp over {self.orders:,} orders"

    def document(self) -> dict[str, Any]:
        """As JSON numbers."""
        return {
            "orders": self.orders,
            "orders_with_volume": self.with_volume,
            "half_spread_bp": self.half_spread._asdict(),
            "impact_coefficient": self.impact._asdict(),
            "delay_bp": self.delay._asdict(),
            "model_bp": self.model,
            "live_bp": self.live._asdict(),
            "sentence": self.sentence,
        }

    def cost_model(self, prior: CostModel) -> CostModel:
        """The model with what was learned; never below zero."""
        return prior._replace(
            half_spread_bps=max(self.half_spread.value + self.delay.value, 0.0),
            impact_coefficient=max(self.impact.value, 0.0),
        )


def filled_orders(
    histories: Iterable[OrderHistory],
    volatility: Mapping[str, float] | None = None,
    day_volume: Mapping[str, float] | None = None,
) -> tuple[FilledOrder, ...]:
    """What every filled order with a quote at its arrival cost. volatility: of a day, by symbol. day_volume: shares."""
    found = []
    for one in histories:
        if one.filled_qty <= 0 or one.filled_avg_price is None or one.mid is None or one.mid <= 0:
            continue
        sign = 1 if one.side == "buy" else -1
        moves, volume = (volatility or {}).get(one.symbol), (day_volume or {}).get(one.symbol)
        load = None
        if moves is not None and volume is not None and volume > 0:
            load = BP * moves * math.sqrt(float(one.filled_qty) / volume)
        decision = one.decision_price
        delay = None if decision is None or decision <= 0 else sign * float((one.mid - decision) / decision) * BP
        execution = sign * float((one.filled_avg_price - one.mid) / one.mid) * BP
        found.append(FilledOrder(execution, delay, load, float(one.filled_qty * one.filled_avg_price), one.symbol))
    return tuple(found)


def learned_costs(orders: Iterable[FilledOrder], prior: CostModel | None = None) -> LearnedCosts:
    """Estimate from filled orders; without any it is the prior, with its own width."""
    model, every = prior or CostModel(), tuple(orders)
    expected = np.array([model.half_spread_bps, model.impact_coefficient])
    # an order without a volume says something of half spread and impact together: it is read with the model's impact
    loads = np.array([0.0 if one.load is None else one.load for one in every])
    y = np.array([one.execution for one in every])
    design = np.column_stack([np.ones(len(every)), loads])
    found, width = _regression(design, y, expected)
    delays = np.array([one.delay for one in every if one.delay is not None])
    live = np.array([one.total for one in every])
    return LearnedCosts(
        Estimate(float(found[0]), float(width[0])),
        Estimate(float(found[1]), float(width[1])),
        _mean(delays, 0.0),
        float(np.mean(design @ expected)) if len(every) else model.half_spread_bps,
        _plain_mean(live, model.half_spread_bps),
        len(every),
        sum(one.load is not None for one in every),
    )


def trading_costs(orders: Iterable[FilledOrder], as_of: date, prior: CostModel | None = None) -> TradingCosts | None:
    """What planning is told: the whole cost of every name, its impact at the sizes that were traded included. A name is
    shrunk to all names, and these to the half spread of the model, by the number of orders. One order counts
    for `ORDER_MOST` at most, either way. None without an order."""
    by_symbol: dict[str, list[float]] = {}
    for one in orders:
        by_symbol.setdefault(one.symbol, []).append(min(max(one.total, -ORDER_MOST), ORDER_MOST))
    if not by_symbol:
        return None
    every = np.array([cost for costs in by_symbol.values() for cost in costs])
    usual = _mean(every, (prior or CostModel()).half_spread_bps).value
    names = {symbol: round(_mean(np.array(costs), usual).value, PLACES) for symbol, costs in sorted(by_symbol.items())}
    return TradingCosts(as_of, len(every), round(usual, PLACES), names)


def _regression(
    design: NDArray[np.float64], y: NDArray[np.float64], expected: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior mean and half width of half spread and impact. The prior counts as `PRIOR_ORDERS` usual orders."""
    weight = PRIOR_ORDERS * np.diag([1.0, USUAL_LOAD**2])
    precision = design.T @ design + weight
    found = np.linalg.solve(precision, design.T @ y + weight @ expected)
    rest = y - design @ found
    noise = (float(rest @ rest) + PRIOR_ORDERS * USUAL_NOISE**2) / (len(y) + PRIOR_ORDERS)
    return found, NORMAL_95 * np.sqrt(noise * np.diag(np.linalg.inv(precision)))


def _mean(values: NDArray[np.float64], expected: float) -> Estimate:
    """The mean, shrunk to what is expected by the number of values."""
    total = len(values) + PRIOR_ORDERS
    found = (float(values.sum()) + PRIOR_ORDERS * expected) / total
    rest = values - found
    noise = (float(rest @ rest) + PRIOR_ORDERS * USUAL_NOISE**2) / total
    return Estimate(found, NORMAL_95 * math.sqrt(noise / total))


def _plain_mean(values: NDArray[np.float64], absent: float) -> Estimate:
    """The mean of what was paid, with the interval of a mean; wide for fewer than two values."""
    if len(values) < 2:
        return Estimate(float(values[0]) if len(values) else absent, NORMAL_95 * USUAL_NOISE)
    return Estimate(float(values.mean()), NORMAL_95 * float(values.std(ddof=1)) / math.sqrt(len(values)))
