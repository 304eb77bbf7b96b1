"""What a report is made from: one `RunRecord` per cycle, and the small views that the terminal shows.

`RunRecord` is also the document `rebalancer.report/1` (see `document.py`): the field names are its keys, decimals are
strings, times are RFC 3339 in UTC, weights and seconds are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.decisions import Constrained, Phase, Plan, Verdict
from rebalancer.core.facts import Account, Position, Snapshot
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import ZERO, Side
from rebalancer.ops.source_status import SourceStatus
from rebalancer.report.figures.figure import Figure
from rebalancer.report.regime import RegimeView

REPORT_SCHEMA: Final = "rebalancer.report/1"

Mode = Literal["simulated", "paper", "live", "dry_run"]


class OrderLine(NamedTuple):
    """One order from intent to end. Quantities are unsigned shares, prices USD per share.

    `planned_qty` is what the plan asked for, `funded_qty` what was left after the buying power was known;
    `arrival_price` is the price of the decision, against which slippage is measured; zero when no plan decided on it.
    `reason` is the classified cause of the end ("buying_power", "timeout", empty when there is nothing to report),
    `message` the broker's own text.
    """

    client_order_id: str
    phase: Phase
    symbol: str
    side: Side
    planned_qty: Decimal
    funded_qty: Decimal
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    state: OrderState
    arrival_price: Decimal
    reason: str = ""
    message: str = ""
    sent_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def was_intended(self) -> bool:
        """Whether the journal has an intent of it. A planned order that the cycle never came to has none, and was not
        an order."""
        return self.state is not OrderState.NOT_SENT or self.sent_at is not None

    @property
    def fill_value(self) -> Decimal:
        """USD that changed hands; an unknown fill price counts as the arrival price."""
        price = self.arrival_price if self.filled_avg_price is None else self.filled_avg_price
        return self.filled_qty * price

    @property
    def slippage(self) -> Decimal | None:
        """USD lost (+) or gained (-) against the arrival price; None without a fill."""
        if self.filled_avg_price is None or self.filled_qty == ZERO or self.arrival_price == ZERO:
            return None
        worse = self.filled_avg_price - self.arrival_price
        return (worse if self.side == "buy" else -worse) * self.filled_qty


class Point(NamedTuple):
    """The equity at one moment, USD, excluding deposits and withdrawals since the period began, and how far it was
    below the high-water mark, a fraction, zero or less; None when not known."""

    at: datetime
    equity: Decimal
    below: float | None = None


class ReconciliationLine(NamedTuple):
    """One difference between expected and actual positions, as reconciled. `kind`: late_fill, external_trade,
    corporate_action, adopted or unexplained."""

    symbol: str
    kind: str
    text: str


class Timing(NamedTuple):
    """How long one step of the cycle took."""

    step: str
    seconds: float


class RuleChange(NamedTuple):
    """A rule that is not at its default; both values as plain JSON."""

    default: object
    value: object


class RunRecord(NamedTuple):
    """Everything that a report of one cycle needs, built from the journal and the result of the cycle.

    `verdicts` has the final verdict of every signal. `account_after` and `positions_after` are the broker's state after
    the last order; `account_after=None` means that it was not read, and then no section shows an "after".
    `broker_calls` counts requests by name; `rules_changed` is keyed "section.key". `weights` are those of sources in
    the consensus, 1 for one that is not named; `sources` is the state of those that are asked in the background.
    `through_the_day` is the equity after every cycle of the day so far, this one the last. These three are left out of
    the document when empty, and so is `regime`, the market's.
    """

    snapshot: Snapshot
    plan: Plan
    orders: tuple[OrderLine, ...]
    verdicts: tuple[Verdict, ...]
    outcome: CycleOutcome
    because: str
    mode: Mode
    account_after: Account | None
    positions_after: tuple[Position, ...]
    reconciled: tuple[ReconciliationLine, ...]
    broker_calls: Mapping[str, int]
    timings: tuple[Timing, ...]
    version: str
    rules_changed: Mapping[str, RuleChange]
    started_at: datetime
    ended_at: datetime
    constrained: Constrained | None = None
    weights: Mapping[str, float] = {}
    sources: tuple[SourceStatus, ...] = ()
    regime: RegimeView | None = None
    through_the_day: tuple[Point, ...] = ()
    schema: Literal["rebalancer.report/1"] = REPORT_SCHEMA


class RunSummary(NamedTuple):
    """One run in one line, for the index page and `history`. `needs` counts the things that a person has to do; `page`
    is the report's path below the report folder, empty when none was written."""

    cycle_id: str
    started_at: datetime
    mode: Mode
    outcome: CycleOutcome
    because: str
    orders: int
    filled: int
    turnover: Decimal
    equity: Decimal
    needs: int
    page: str = ""
    constrained: Constrained | None = None


class LimitStatus(NamedTuple):
    """One limit as `status` shows it; fractions, or counts when `counts` is set."""

    name: str
    used: float
    limit: float
    counts: bool = False


class RunningCycle(NamedTuple):
    """A cycle that has begun and whose process still holds the run lock."""

    cycle_id: str
    started_at: datetime
    process: int


class StatusView(NamedTuple):
    """What `status` shows, all from the local journal. USD; None is "not known", never zero.

    `drawdown` is a fraction below the high-water mark, zero or more; `figures` are those of the account's newest value,
    with their ids. `stopped` says in words why nothing may be sent
    (kill switch, pause), empty when sending is allowed. `next_hint` is a whole sentence. `drift` is the largest weight
    that the last plan wanted to close and `band` that symbol's half band, both fractions of capital; `limits` lists the
    most used first; `protection` says how positions are protected, `unprotected` which have no exits at the broker.
    `last` is the last cycle that has ended or was left behind; one that still runs is `running`.
    `drift_of` is the symbol of that largest drift; `next_here` is `next_at` by this machine's clock, such as "16:10".
    `sources` are those that are asked in the background; `regime` is the market's, where it is judged. `since` is the
    moment with which the return of today begins, `from_close` whether that was the closing of a day. `mirror` says how
    the copy of the journal stands, "" where there is none.
    """

    mode: Mode
    account_id: str
    stopped: str
    last: RunSummary | None
    last_seconds: float | None
    now: datetime
    equity: Decimal | None
    last_equity: Decimal | None
    drawdown: float | None
    cash: Decimal | None
    positions: int | None
    open_orders: int
    unknown_orders: int
    alerts: tuple[str, ...]
    next_at: datetime | None
    next_hint: str
    drift: float | None = None
    band: float | None = None
    limits: tuple[LimitStatus, ...] = ()
    protection: str = ""
    unprotected: tuple[str, ...] = ()
    report: str = ""
    environment: str = ""
    profile: str = ""
    drift_of: str = ""
    next_here: str = ""
    running: RunningCycle | None = None
    figures: tuple[Figure, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    regime: RegimeView | None = None
    since: datetime | None = None
    from_close: bool = False
    parity: str = ""
    mirror: str = ""


class AccountRow(NamedTuple):
    """One account among several: its profile, the process of its session and what its journal says. `process` is a key
    of `report.accounts.STATE_WORDS`; `view` is None when its state cannot be read, and `problem` says why."""

    name: str
    environment: str
    process: str
    pid: int | None
    exit_code: int | None
    again_at: datetime | None
    view: StatusView | None
    problem: str = ""


class ModeTotal(NamedTuple):
    """The accounts of one mode and environment. `equity` in USD is None when one of them does not state it."""

    mode: Mode
    environment: str
    accounts: int
    equity: Decimal | None


class AtTheBroker(NamedTuple):
    """The broker's own state at `asked_at`, beside what the journal knows: `differences` has a line for each position
    and order on which they disagree. Of the open orders, `open_orders` belong to cycles, `exit_orders` are the exits
    that protect positions, and `foreign_orders` are not ours."""

    asked_at: datetime
    account_id: str
    equity: Decimal
    cash: Decimal
    positions: int
    open_orders: int
    exit_orders: int
    foreign_orders: int
    restrictions: tuple[str, ...]
    differences: tuple[str, ...]
