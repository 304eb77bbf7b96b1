"""What a live view is made of. Every number that is shown is a `Figure`; every part says of when it is.

Figures of one account are never added to those of another.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from rebalancer.alerts.codes import AlertCode
from rebalancer.core.outcomes import Outcome
from rebalancer.journal.alert_row import AlertLevel
from rebalancer.ops.source_status import SourceStatus
from rebalancer.report.allocation import WeightBar
from rebalancer.report.attention import Attention
from rebalancer.report.figures.figure import Figure
from rebalancer.report.records import Mode
from rebalancer.report.words import Word

LIVE_SCHEMA: Final = "rebalancer.live/1"


class LiveState(StrEnum):
    """What an account does at this moment. Halted: nothing, or nothing but reductions, may be sent. Unattended: nobody
    would trade now, because no session runs."""

    TRADING = "trading"
    AT_REST = "at_rest"
    HALTED = "halted"
    UNATTENDED = "unattended"
    NOTHING_YET = "nothing_yet"


class LiveHead(NamedTuple):
    """The newest row of the journal from which everything else was read; 0 and "" before there is one."""

    seq: int
    hash: str
    at: datetime | None


class LiveFigure(NamedTuple):
    """One figure of the account with its name and the moment of which it is."""

    label: str
    figure: Figure
    at: datetime | None
    note: str = ""


class LiveEquity(NamedTuple):
    """One value of the account today, USD, and how many orders were sent since the value before."""

    at: datetime
    equity: Decimal
    buys: int = 0
    sells: int = 0


class LivePosition(NamedTuple):
    """A position beside its target. Weights are fractions of capital at the prices of the last plan."""

    symbol: str
    qty: Figure
    price: Figure
    value: Figure
    weight: Figure
    target: Figure
    drift: Figure
    band: Figure
    is_outside: bool
    bar: WeightBar


class LiveOrder(NamedTuple):
    """An order as far as it has come. `at` is the time of its last change; `because` is the plan's reason."""

    client_order_id: str
    cycle_id: str
    symbol: str
    side: Literal["buy", "sell"]
    word: Word
    filled: Figure
    planned: Figure
    fill_price: Figure
    at: datetime
    sent_at: datetime
    because: str


class LiveSignal(NamedTuple):
    """A signal of the last planned cycle and what became of it. `view` says in words what a score cannot: hold, or a
    target weight."""

    signal_id: str
    symbol: str
    source: str
    score: Figure
    confidence: Figure
    view: str
    issued_at: datetime
    outcome: Outcome | None
    word: Word | None
    because: str


class LiveLimit(NamedTuple):
    """A limit, what of it is used after the last plan, and what is left; `share` is the used part of it."""

    name: str
    unit: str
    used: Figure
    limit: Figure
    left: Figure
    share: Figure
    word: Word
    width: int
    is_quiet: bool
    at: datetime | None


class LiveAlarm(NamedTuple):
    """An alert with its paragraph of the runbook and who has been told."""

    seq: int
    at: datetime
    level: AlertLevel
    code: str
    text: str
    delivery: str
    runbook: AlertCode


class LiveRegime(NamedTuple):
    """The state of a market regime as the last plan knew it."""

    name: str
    text: str
    at: datetime | None


class LiveAccount(NamedTuple):
    """One account at one moment.

    `now` is the time by the account's clock, `read_at` that of this machine when the journal was read. `account_id` is
    masked. `cycle_id` and `planned_at` are those of the last planned cycle, of which positions, signals and limits are;
    `positions_at` that of the quantities. `session` is the market's open and close of that plan.
    `day_began` is the equity with which the day began, USD, None when it is not
    known. `report` is the newest page below the report folder.
    """

    name: str
    mode: Mode
    account_id: str
    state: LiveState
    sentence: str
    needs: tuple[Attention, ...]
    head: LiveHead
    now: datetime
    read_at: datetime
    figures: tuple[LiveFigure, ...]
    equity_today: tuple[LiveEquity, ...]
    day_began: Decimal | None
    session: tuple[datetime, datetime] | None
    next_at: datetime | None
    next_here: str
    next_hint: str
    cycle_id: str
    planned_at: datetime | None
    positions: tuple[LivePosition, ...]
    positions_at: datetime | None
    orders: tuple[LiveOrder, ...]
    signals: tuple[LiveSignal, ...]
    limits: tuple[LiveLimit, ...]
    sources: tuple[SourceStatus, ...]
    regimes: tuple[LiveRegime, ...]
    alarms: tuple[LiveAlarm, ...]
    report: str


class LiveView(NamedTuple):
    """Several accounts side by side."""

    accounts: tuple[LiveAccount, ...]
    made_at: datetime
