"""What an edition is made from: plain records, gathered from the journal by `report/period/parts/`.

`PeriodReport` is also the document `rebalancer.edition/1`: the field names are its keys, money and shares are strings,
ratios and weights numbers (null when not known), times RFC 3339 in UTC. An absent part is None or empty, and then its
section is missing from the page; a part that could not be read is named in `broken` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.accounting.order_counts import OrderCounts
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.performance.drift import Drift
from rebalancer.performance.records import TradeCause
from rebalancer.performance.round_trips import RoundTrip
from rebalancer.performance.shortfall import ExecutionQuality
from rebalancer.performance.summary import Summary
from rebalancer.report.operations import Operations
from rebalancer.report.period.book_risk import Risk
from rebalancer.report.period.results import BookDay, BridgeSection, ClosedBooks, Contribution, Performance
from rebalancer.report.period.run_health import Effort
from rebalancer.report.records import Mode, OrderLine, Point, RuleChange, RunRecord

EDITION_SCHEMA: Final = "rebalancer.edition/1"

Period = Literal["day", "week", "month", "year", "all"]


class SlotRow(NamedTuple):
    """One five-minute slot of the calendar and its outcome; `page` is the cycle's own page, below the report folder,
    `seconds` how long the cycle took."""

    slot: str
    at: datetime
    outcome: CycleOutcome
    because: str
    orders: int = 0
    filled: int = 0
    page: str = ""
    seconds: float | None = None


class TradeLine(NamedTuple):
    """One order of the period with its reason in words and its category. A trade by hand has the broker's own order id
    and no cycle."""

    at: datetime
    cycle_id: str
    line: OrderLine
    because: str
    cause: TradeCause = "target"

    @property
    def is_ours(self) -> bool:
        """Whether it is an order of this program."""
        return self.cause != "hand"

    @property
    def was_intended(self) -> bool:
        """Whether the journal has an intent of it; a planned order that the cycle never came to has none."""
        return self.line.was_intended


class DayLine(NamedTuple):
    """One day of a longer period: the equity at its end, USD, its time-weighted return and that of the benchmark, its
    lowest point below the high-water mark, and what was traded. None is "not known"."""

    day: date
    equity: Decimal | None
    change: float | None
    benchmark: float | None
    low: float | None
    counts: OrderCounts


class Idle(NamedTuple):
    """One symbol that was not traded, for one kind of reason: the newest text, and in how many cycles."""

    symbol: str
    outcome: Outcome
    because: str
    cycles: int


class AlertRow(NamedTuple):
    """One alert of the period. `code` is its kind and `name` what it is about, such as a symbol; "" when not given.
    `resolved` says what ended the matter; "" while it stands, and for alerts that only inform."""

    at: datetime
    level: Literal["info", "warning", "action"]
    text: str
    code: str = ""
    name: str = ""
    resolved: str = ""


class Guarded(NamedTuple):
    """One position with its stop and target, and where they are kept. USD per share."""

    symbol: str
    qty: Decimal
    cost: Decimal
    last: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    kept: str


class Expected(NamedTuple):
    """One figure beside that of a backtest of the same days."""

    label: str
    live: float | None
    low: float | None
    high: float | None
    unit: Literal["%", "bp"]


class ShadowRow(NamedTuple):
    """A shadow book: its return and the live one since it began, as fractions."""

    name: str
    since: str
    orders: int
    total_return: float
    live_return: float


class ParityRow(NamedTuple):
    """The measurement of one evening: plans that came out equal, live less model in basis points, and the costs."""

    day: date
    cycles: int
    plans_equal: int
    fills: float
    prices: float
    cash: float
    costs: str
    books: tuple[ShadowRow, ...] = ()


class PeriodReport(NamedTuple):
    """Everything that the report of a period needs. `latest` is the last planned cycle: allocation, signals, limits and
    configuration are shown as of that cycle. `next_run_here` is the next run on this machine's clock, in words.

    `summary` is the performance of the period, `whole` that since the records began; both are the source of `figures`
    and not part of the document. `execution` is all orders of `quality` together; `is_followed` whether a cycle after
    `latest` ran as planned, so that what it could not do is over. `operations_before` are those of the period before,
    None when nothing ran in it. `through_the_day` has the equity through a day or a week, in whose market hours
    `sessions` lie; `book` are the closed days of the period, of a short one some days before. `window` are the first
    and the last day on record within the period; `counted_from` is the first reading of the account, when it lies
    within the period: before it nothing is known, not even the broker's last close."""

    period: Period
    first: date
    last: date
    mode: Mode
    account_id: str
    version: str
    made_at: datetime
    equity: Decimal | None
    equity_before: Decimal | None
    peak_equity: Decimal | None
    cash: Decimal | None
    capital: Decimal | None
    flows: Decimal
    slots: tuple[SlotRow, ...] = ()
    trades: tuple[TradeLine, ...] = ()
    idle: tuple[Idle, ...] = ()
    alarms: tuple[AlertRow, ...] = ()
    latest: RunRecord | None = None
    bridge: BridgeSection | None = None
    contributions: tuple[Contribution, ...] = ()
    performance: Performance | None = None
    through_the_day: tuple[Point, ...] = ()
    book: tuple[BookDay, ...] = ()
    sessions: tuple[tuple[datetime, datetime], ...] = ()
    quality: tuple[ExecutionQuality, ...] = ()
    quality_by_hour: tuple[ExecutionQuality, ...] = ()
    gaps: tuple[Drift[float], ...] = ()
    guarded: tuple[Guarded, ...] = ()
    trips: tuple[RoundTrip, ...] = ()
    expected: tuple[Expected, ...] = ()
    rules_changed: Mapping[str, RuleChange] = {}
    books: tuple[ClosedBooks, ...] = ()
    parity: tuple[ParityRow, ...] = ()
    effort: Effort | None = None
    risk: Risk | None = None
    next_run: datetime | None = None
    next_run_here: str = ""
    broken: tuple[str, ...] = ()
    counts: OrderCounts | None = None
    window: tuple[date, date] | None = None
    days: tuple[DayLine, ...] = ()
    counted_from: datetime | None = None
    execution: ExecutionQuality | None = None
    is_followed: bool = False
    operations: Operations | None = None
    operations_before: Operations | None = None
    summary: Summary | None = None
    whole: Summary | None = None
    schema: Literal["rebalancer.edition/1"] = EDITION_SCHEMA
