"""What an edition is made from: plain records, gathered from the journal by `session/edition_parts/`.

`Edition` is also the document `rebalancer.edition/1`: the field names are its keys, money and shares are strings,
ratios and weights numbers (null when not known), times RFC 3339 in UTC. An absent part is None or empty, and then its
section is absent from the page; a part that could not be read is named in `broken` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.outcomes import CycleOutcome, Outcome
from rebalancer.report.records import Mode, OrderLine, RuleChange, RunRecord
from rebalancer.values import ZERO

EDITION_SCHEMA: Final = "rebalancer.edition/1"

Period = Literal["day", "week", "month", "year", "all"]


class Slot(NamedTuple):
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
    """One order of the period with the reason that its plan gave."""

    at: datetime
    cycle_id: str
    line: OrderLine
    because: str


class Idle(NamedTuple):
    """One symbol that was not traded for one kind of reason: the newest words, and in how many cycles."""

    symbol: str
    outcome: Outcome
    because: str
    cycles: int


class Alarm(NamedTuple):
    """One alert of the period. `code` is its kind and `name` what it is about, such as a symbol; "" where not told."""

    at: datetime
    level: Literal["info", "warning", "action"]
    text: str
    code: str = ""
    name: str = ""


class BridgeLine(NamedTuple):
    """One step from the equity at the beginning to the equity at the end. USD."""

    label: str
    amount: Decimal


class Bridge(NamedTuple):
    """Where the money came from and went: opening + all lines + unexplained = closing, to the cent. `by_prices`: price
    moves are reckoned from positions and prices; without, they are what is left when all else is known."""

    opening: Decimal
    lines: tuple[BridgeLine, ...]
    unexplained: Decimal
    closing: Decimal
    by_prices: bool = False

    @property
    def adds_up(self) -> bool:
        """Whether the steps lead to the end."""
        return self.opening + sum((line.amount for line in self.lines), ZERO) + self.unexplained == self.closing


class Contribution(NamedTuple):
    """Profit or loss of one symbol over the period, USD."""

    symbol: str
    amount: Decimal


class MonthRow(NamedTuple):
    """The returns of one year by month, January first; None for a month without a day of ours."""

    year: int
    months: tuple[float | None, ...]
    total: float | None


class Ratio(NamedTuple):
    """One figure of the performance with its name; None when there is too little to say. `unit`: "%" has a sign,
    "share" is a fraction without one."""

    label: str
    value: float | None
    unit: Literal["%", "share", "", "USD", "days"]
    note: str = ""


class Fall(NamedTuple):
    """One stretch below an earlier high: its first day, its lowest, the day it was made good (None: not yet), its depth
    (negative), and on how many days it stood."""

    first: date
    lowest: date
    back: date | None
    depth: float
    days: int


class DayBar(NamedTuple):
    """How many days had a return from `low` on and below `high`."""

    low: float
    high: float
    days: int


class Point(NamedTuple):
    """The equity at one moment of a day, USD, without what was paid in or out since the day began."""

    at: datetime
    equity: Decimal


class Performance(NamedTuple):
    """The time-weighted course of the account: what one dollar had become after each day. `drawdown` is zero or less,
    `benchmark` is on the scale of `growth`; one value a day. `total` (time-weighted) and `money_weighted` are of all
    the time since the books began, `benchmark_change` is of the edition's period."""

    days: tuple[date, ...]
    growth: tuple[float, ...]
    drawdown: tuple[float, ...]
    benchmark_name: str
    benchmark: tuple[float | None, ...]
    months: tuple[MonthRow, ...]
    ratios: tuple[Ratio, ...]
    rolling_volatility: tuple[float | None, ...] = ()
    rolling_sharpe: tuple[float | None, ...] = ()
    falls: tuple[Fall, ...] = ()
    distribution: tuple[DayBar, ...] = ()
    since: date | None = None
    total: float | None = None
    money_weighted: float | None = None
    benchmark_change: float | None = None


class ClosedBooks(NamedTuple):
    """The books of one day as they were closed: how many fills were counted, and every difference in words."""

    day: date
    at: datetime
    fills: int
    differences: tuple[str, ...]


class Quality(NamedTuple):
    """Execution of one symbol or one hour. Slippage and spread in basis points of the value traded, plus is a cost."""

    name: str
    orders: int
    value: Decimal
    arrival_bp: float | None
    decision_bp: float | None
    spread_bp: float | None
    seconds: float | None


class Gap(NamedTuple):
    """One symbol's distance from its target at the end, fractions of capital, and what it is made of."""

    symbol: str
    target: float
    achieved: float
    now: float
    parts: Mapping[str, float]


class Guarded(NamedTuple):
    """One position with its stop and target, and where they are kept. USD per share."""

    symbol: str
    qty: Decimal
    cost: Decimal
    last: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    kept: str


class Trip(NamedTuple):
    """One round trip that ended in the period. USD; `profit` after fees; `regime` is the market's at entry, "" when not
    known."""

    symbol: str
    side: Literal["long", "short"]
    qty: Decimal
    entry: Decimal
    exit: Decimal
    opened_at: datetime
    closed_at: datetime
    profit: Decimal
    fees: Decimal
    source: str
    reason: str
    regime: str = ""


class Expected(NamedTuple):
    """One figure beside what a backtest of the same days says."""

    label: str
    live: float | None
    low: float | None
    high: float | None
    unit: Literal["%", "bp"]


class StepTime(NamedTuple):
    """Seconds of one step at the median and at most over the `cycles` in which it took any, and when the longest one
    was. The step "all" is a whole cycle."""

    step: str
    cycles: int
    median: float
    worst: float
    worst_at: datetime


class Requests(NamedTuple):
    """Requests to the broker in a period, and the `most` in one cycle. `repeats` repeat an earlier one; `limited` were
    answered 429, `failed` 5xx, `lost` not at all or not in full. The longest one in milliseconds."""

    total: int
    most: int
    repeats: int
    limited: int
    failed: int
    lost: int
    longest_ms: int


class Effort(NamedTuple):
    """What the measured cycles took; of `unrecorded` ones nothing is known. `feeds` are the price feeds; the age is
    that of the oldest price that a plan was made with."""

    cycles: int
    unrecorded: int
    steps: tuple[StepTime, ...]
    requests: Requests | None
    feeds: tuple[str, ...]
    oldest_quote_seconds: float | None


class Pair(NamedTuple):
    """Two held names and the correlation of their daily returns; `opposite`: one is held long, the other short."""

    first: str
    second: str
    correlation: float
    opposite: bool


class Risk(NamedTuple):
    """The risk of what is held at the end. Exposures and `volatility` (a year) are fractions of equity; shares,
    `top_five`, `hhi` and `covered` are of the gross value. `effective` is 1 / `hhi`, a number of names.

    `volatility`, `pairs` and `beta` are of `covered`, over `days` daily returns from `first` to `last`; `beta_days` are
    those that the benchmark has too. Names without enough closes are `left_out`; those without a price are `unpriced`
    and in no figure. `because` says why the volatility is not known.
    """

    names: int
    net: float | None
    gross: float | None
    largest: str = ""
    largest_share: float | None = None
    top_five: float | None = None
    hhi: float | None = None
    effective: float | None = None
    volatility: float | None = None
    estimator: str = ""
    pairs: tuple[Pair, ...] = ()
    benchmark: str = ""
    beta: float | None = None
    beta_days: int = 0
    days: int = 0
    first: date | None = None
    last: date | None = None
    covered: float | None = None
    left_out: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()
    because: str = ""


class Edition(NamedTuple):
    """Everything that the report of a period needs. `latest` is the last planned cycle: allocation, signals, limits
    and configuration are shown as it left them. `next_run_here` is the next run on this machine's clock, in words."""

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
    slots: tuple[Slot, ...] = ()
    trades: tuple[TradeLine, ...] = ()
    idle: tuple[Idle, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    latest: RunRecord | None = None
    bridge: Bridge | None = None
    contributions: tuple[Contribution, ...] = ()
    performance: Performance | None = None
    through_the_day: tuple[Point, ...] = ()
    quality: tuple[Quality, ...] = ()
    quality_by_hour: tuple[Quality, ...] = ()
    gaps: tuple[Gap, ...] = ()
    guarded: tuple[Guarded, ...] = ()
    trips: tuple[Trip, ...] = ()
    expected: tuple[Expected, ...] = ()
    rules_changed: Mapping[str, RuleChange] = {}
    books: tuple[ClosedBooks, ...] = ()
    effort: Effort | None = None
    risk: Risk | None = None
    next_run: datetime | None = None
    next_run_here: str = ""
    broken: tuple[str, ...] = ()
    schema: Literal["rebalancer.edition/1"] = EDITION_SCHEMA
