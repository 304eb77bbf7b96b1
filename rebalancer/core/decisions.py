"""Decisions: the immutable results of `planning/`, each with the numbers it was derived from.

Weights are signed fractions of capital (equity x `capital_scaling`); quantities are signed shares in targets and
unsigned in orders; money is US dollars.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.documents import plain
from rebalancer.core.limits import LimitKind, limit_kind
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import Reasons
from rebalancer.core.stored_keys import PLAN_ADDED, leave_out
from rebalancer.core.values import Side

PLAN_SCHEMA: Final = "rebalancer.plan/1"
PLANNER_EDITION: Final = 3  # incremented when the same stored snapshot and rules give a different plan

Phase = Literal["reduce", "increase"]
DUST: Final = 1e-9  # floating-point tolerance, relative

PositionIntent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]


class Target(NamedTuple):
    """The target position of one symbol and its derivation from score to shares.

    `factors` lists only the groups whose cap binds (factor < 1); `own_cap` is the largest weight allowed for this name
    by itself and `own_cap_name` the rule that sets it; `pending_qty` is what our open orders may still add. `implied`
    marks a held position without a usable signal.
    """

    symbol: str
    raw_weight: float
    weight: float
    qty: Decimal
    factors: Mapping[str, float]
    score: float
    confidence: float
    volatility: float | None
    volatility_scale: float
    own_cap: float
    own_cap_name: str
    price: Decimal
    held_qty: Decimal
    pending_qty: Decimal
    held_weight: float
    drift: float
    band: float
    implied: bool


class Order(NamedTuple):
    """One order as it will be sent. `notional` is qty x limit price, or qty x decision price for a market order;
    `drift` is the deviation from target that it corrects, which sets its priority."""

    client_order_id: str
    phase: Phase
    symbol: str
    side: Side
    qty: Decimal
    notional: Decimal
    type: str
    limit_price: Decimal | None
    time_in_force: str
    position_intent: PositionIntent
    price: Decimal
    reserve: Decimal
    drift: float
    because: Reasons


class Verdict(NamedTuple):
    """The outcome of one signal, with its reasons."""

    signal_id: str
    symbol: str
    outcome: Outcome
    because: Reasons


class LimitUse(NamedTuple):
    """One limit: its value, and its usage before and after all planned orders fill; all three in the unit of its kind.
    `kind` is None in plans of edition 1 only; `measures` knows it there too."""

    name: str
    limit: float
    before: float
    after: float
    binds: bool
    kind: LimitKind | None = None

    @property
    def measures(self) -> LimitKind:
        """What it limits, and so the unit of its numbers."""
        return limit_kind(self.kind, self.name)

    @property
    def share(self) -> float | None:
        """The used fraction of the limit after all orders, 1.0 when all of it is used; None for a limit of zero."""
        return self.after / self.limit if self.limit > 0 else None

    @property
    def is_exceeded(self) -> bool:
        """Whether more is used than the limit allows, beyond rounding."""
        return self.after > self.limit * (1 + DUST)


class Constrained(NamedTuple):
    """Trades outside their no-trade band that an execution limit denies: their number, and the limit and drift
    (fraction of capital, four places) of the largest."""

    trades: int
    largest: Outcome
    drift: Decimal


class Plan(NamedTuple):
    """The complete decision of one cycle. `unsignalled` has one verdict per held symbol without a usable signal. The
    two hashes are filled in when the plan is recorded (`codec.seal`); `planner_edition` is the edition of the planner
    that made it."""

    cycle_id: str
    outcome: CycleOutcome
    because: Reasons
    capital: Decimal
    targets: tuple[Target, ...]
    orders: tuple[Order, ...]
    verdicts: tuple[Verdict, ...]
    unsignalled: tuple[Verdict, ...]
    limits: tuple[LimitUse, ...]
    frozen: Mapping[str, Reasons]
    constrained: Constrained | None = None
    snapshot_sha256: str = ""
    rules_sha256: str = ""
    planner_edition: int = PLANNER_EDITION
    schema: Literal["rebalancer.plan/1"] = PLAN_SCHEMA

    def to_json(self) -> str:
        """The `rebalancer.plan/1` document: indented JSON in the documented key order, without a last newline."""
        return json.dumps(leave_out(plain(self), PLAN_ADDED), indent=1, ensure_ascii=False, allow_nan=False)
