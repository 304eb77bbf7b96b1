"""Drift attribution: how far a symbol is from its target now, and what caused each part of the gap.

The path from the target to now is a sequence of weights; the parts of the gap are the differences between consecutive
weights, so they add up to the gap exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from rebalancer.core.values import ZERO

PARTS: Final = ("rounding", "band", "cap", "unfilled", "outside", "cash_flow", "price_move")
WEIGHT_GRAIN: Final = Decimal("0.000000000001")


class DriftInputs(NamedTuple):
    """One symbol from its plan until now. Signed shares; USD per share; capital in USD (equity x scaling).

    `target_qty` is the target after rounding to lots, `held_qty` the position when the plan was made, `planned_qty` and
    `filled_qty` the planned trade and its fill. `kept_back` says why the plan traded less than the target requires.
    `flow` is the net capital paid in (+) or out (-) since then.
    """

    symbol: str
    target: Decimal
    target_qty: Decimal
    held_qty: Decimal
    planned_qty: Decimal
    filled_qty: Decimal
    now_qty: Decimal
    price: Decimal
    price_now: Decimal
    capital: Decimal
    capital_now: Decimal
    flow: Decimal
    kept_back: Literal["band", "cap"]


Weight = TypeVar("Weight", Decimal, float)


class Drift(NamedTuple, Generic[Weight]):
    """Weights as signed fractions of capital. `achieved` is the weight after the cycle, at its own prices; `now` the
    current one. `parts` has every name of `PARTS`; they add up to now - target, as decimals exactly."""

    symbol: str
    target: Weight
    achieved: Weight
    now: Weight
    parts: Mapping[str, Weight]

    @property
    def gap(self) -> Weight:
        """The distance of the current weight from the target."""
        return self.now - self.target


def drift_of(course: DriftInputs) -> Drift[Decimal]:
    """Attribute the gap of one symbol.

    rounding: to whole lots; band: too small to be worth a trade; cap: denied or cut by a limit on orders, trades or
    buying power; unfilled: planned but not filled; outside: external trades and corporate actions; cash_flow: deposits
    and withdrawals; price_move: price changes of this symbol and, through the capital, of all others. A target shrunk
    by a cap on weights counts as the target; the plan records by how much it was shrunk.
    """
    c = course
    if c.capital <= ZERO or c.capital_now <= ZERO:
        raise ValueError(f"{c.symbol}: without capital there are no weights")
    paid = c.capital + c.flow
    after_flow = paid if paid > ZERO else c.capital_now  # withdrawals exceed the capital: attribute the rest to flow
    steps = {
        "target": c.target,
        "rounding": c.target_qty * c.price / c.capital,
        c.kept_back: (c.held_qty + c.planned_qty) * c.price / c.capital,
        "unfilled": (c.held_qty + c.filled_qty) * c.price / c.capital,
        "outside": c.now_qty * c.price / c.capital,
        "cash_flow": c.now_qty * c.price / after_flow,
        "price_move": c.now_qty * c.price_now / c.capital_now,
    }
    weights = {name: weight.quantize(WEIGHT_GRAIN, rounding=ROUND_HALF_EVEN) for name, weight in steps.items()}
    order = list(weights)
    parts = dict.fromkeys(PARTS, ZERO)
    for before, name in pairwise(order):
        parts[name] = weights[name] - weights[before]
    return Drift(c.symbol, weights["target"], weights["unfilled"], weights["price_move"], parts)


def in_floats(drift: Drift[Decimal]) -> Drift[float]:
    """The same drift in floats, each weight the nearest one, for a report."""
    parts = {name: float(part) for name, part in drift.parts.items()}
    return Drift(drift.symbol, float(drift.target), float(drift.achieved), float(drift.now), parts)
