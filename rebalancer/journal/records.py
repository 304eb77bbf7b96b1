"""The journal's records: immutable, in domain terms.

Quantities are shares, prices and equity US dollars, all exact decimals; times are aware UTC and always supplied by the
caller, since the journal never reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.decisions import Constrained, Phase
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import Side

DRY_RUN: Final = "dry_run"  # the mode whose cycles never trade and so never count as the last known positions
MONEY_AFTER_EXIT: Final = "money_after_exit"  # an event kind: the account's value after an exit
EXIT_BEGUN: Final = "exit_begun"  # an event kind, key: symbol: an exit outside the cycle is about to be sent
EXIT_TRADED: Final = "protective_exit"  # an event kind, key: symbol: an exit outside the cycle has traded
NO_CYCLE: Final = "slot"  # the mode of a claim without a cycle, only with a slot's outcome


class CycleStart(NamedTuple):
    """The start of a cycle, which claims its slot. `mode`: simulated, paper, live or dry_run."""

    account_id: str
    cycle_id: str
    mode: str
    at: datetime
    version: str
    rules_sha256: str


class Intent(NamedTuple):
    """An order that is about to be sent. `body` is the canonical JSON of what goes over the wire, hashed next to it."""

    client_order_id: str
    cycle_id: str
    phase: Phase
    symbol: str
    side: Side
    qty: Decimal
    body_sha256: str
    body: str
    at: datetime


class OrderRecord(NamedTuple):
    """One intended order and its latest known state. `at` is the time of the last change."""

    client_order_id: str
    cycle_id: str
    account_id: str
    phase: Phase
    symbol: str
    side: Side
    qty: Decimal
    body: str
    body_sha256: str
    state: OrderState
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    broker_id: str | None
    reason: str
    message: str
    intended_at: datetime
    at: datetime


class CycleEnd(NamedTuple):
    """How one cycle ended and what the next one starts from.

    `unexplained` are differences in quantity that could not be explained; `orders_after` is the watermark for the next
    read of orders; `fills_seen` maps the broker's order id to the cumulative filled quantity that is booked already;
    `constrained` are the trades that the rules wanted and a limit on sending prevented. `equity` is that at the end,
    `opening_equity` what the cycle read before it traded; both count towards the high-water mark.
    """

    account_id: str
    cycle_id: str
    at: datetime
    outcome: CycleOutcome
    because: str
    expected_positions: Mapping[str, Decimal]
    unexplained: Mapping[str, Decimal]
    orders_after: datetime | None
    fills_seen: Mapping[str, Decimal]
    equity: Decimal | None
    positions_trusted: bool
    constrained: Constrained | None = None
    opening_equity: Decimal | None = None


class CycleRecord(NamedTuple):
    """One cycle in one line. `ended_at` and `outcome` are None while it is open; `orders` counts its intents."""

    account_id: str
    cycle_id: str
    mode: str
    started_at: datetime
    ended_at: datetime | None
    outcome: CycleOutcome | None
    because: str
    snapshot_sha256: str | None
    rules_sha256: str
    plan_sha256: str | None
    orders: int
    equity: Decimal | None
    constrained: Constrained | None = None


class Event(NamedTuple):
    """One row of the journal with its body decoded."""

    seq: int
    at: datetime
    account_id: str
    cycle_id: str | None
    kind: str
    key: str | None
    body: Mapping[str, Any]
