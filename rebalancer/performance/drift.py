"""The drift ledger: how far a symbol is from its target now, and which part of the gap came from where.

The way from the target to now is walked step by step, each step a weight; the gap's parts are the differences between
one step and the next, so that they add up to the gap exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from rebalancer.core.values import ZERO

PARTS: Final = ("rounding", "band", "cap", "unfilled", "outside", "cash_flow", "price_move")
WEIGHT_GRAIN: Final = Decimal("0.000000000001")


class DriftInputs(NamedTuple):
    """One symbol from its plan to now. Signed shares; USD a share; capital in USD (equity x scaling).

    `target_qty` is the target after rounding to lots, `held_qty` what was held when the plan was made, `planned_qty`
    and `filled_qty` the trade that was planned and what came of it. `kept_back` says what made the plan trade less than
    the target needs. `flow` is what was paid into (+) or out of (-) the capital since then.
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


class Drift(NamedTuple):
    """Weights as signed fractions of capital. `achieved` is what the cycle left, at its own prices; `now` what there
    is. `parts` has every name of `PARTS`; they add up to now - target exactly."""

    symbol: str
    target: Decimal
    achieved: Decimal
    now: Decimal
    parts: Mapping[str, Decimal]

    @property
    def gap(self) -> Decimal:
        """How far it is from the target."""
        return self.now - self.target


def drift_of(course: DriftInputs) -> Drift:
    """Split the gap of one symbol.

    rounding: shares come in lots; band: too little to be worth a trade; cap: a limit on orders, trades or buying power
    kept it back; unfilled: the market did not give it; outside: somebody else traded, or a corporate action changed the
    shares; cash_flow: capital was paid in or out; price_move: prices, of this symbol and of all the others together.
    A target that a cap on weights has shrunk is the target: how much it shrank stands in the plan.
    """
    c = course
    if c.capital <= ZERO or c.capital_now <= ZERO:
        raise ValueError(f"{c.symbol}: without capital there are no weights")
    paid = c.capital + c.flow
    after_flow = paid if paid > ZERO else c.capital_now  # more was paid out than there was: all the rest is flow
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
