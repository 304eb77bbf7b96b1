"""What the world told us: immutable facts, gathered once per cycle into a `Snapshot`.

Quantities are shares (or coins), prices and money are US dollars, all exact decimals; a short position has a negative
quantity. Times are aware UTC. Nothing in here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.values import ZERO, Side

SNAPSHOT_SCHEMA: Final = "rebalancer.snapshot/1"

AssetClass = Literal["us_equity", "crypto"]


class Session(NamedTuple):
    """The trading session that the cycle falls into, or the next one, by the broker's clock."""

    is_open: bool
    open: datetime
    close: datetime


class Account(NamedTuple):
    """The broker's account. `peak_equity` is the high-water mark from the journal; it and `last_equity` have deposits
    and withdrawals since then added, so that neither counts as profit or loss. `restrictions` are flags in words that
    forbid trading (`trading_blocked`, `account_blocked`, `trade_suspended_by_user`, `status:...`)."""

    id: str
    equity: Decimal
    last_equity: Decimal
    peak_equity: Decimal
    cash: Decimal
    buying_power: Decimal
    multiplier: Decimal
    shorting_enabled: bool
    restrictions: tuple[str, ...] = ()


class Position(NamedTuple):
    """One position. `qty_available` is what no open order of anybody holds back, signed as `qty`."""

    symbol: str
    qty: Decimal
    qty_available: Decimal
    avg_entry_price: Decimal


class OpenOrder(NamedTuple):
    """An order that may still do something. `unknown` marks one of ours whose state the broker has not told us."""

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    filled_qty: Decimal
    type: str
    ours: bool
    limit_price: Decimal | None = None
    unknown: bool = False

    @property
    def remaining(self) -> Decimal:
        """Signed shares that it may still buy (+) or sell (-)."""
        left = max(self.qty - self.filled_qty, ZERO)
        return left if self.side == "buy" else -left


class Instrument(NamedTuple):
    """What can be traded and how. `volatility` is annualised (0.28 = 28 %); `lot` and `tick` are increments; `atr` is
    the average true range of a day, USD per share."""

    symbol: str
    asset_class: AssetClass
    tradable: bool
    fractionable: bool
    shortable: bool
    lot: Decimal
    tick: Decimal
    sector: str | None = None
    correlation_group: str | None = None
    volatility: float | None = None
    atr: Decimal | None = None


class Quote(NamedTuple):
    """Best bid and ask and the last trade, USD, with the time of the newest of them."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    at: datetime


class Signal(NamedTuple):
    """One opinion about one symbol: score in [-1, 1], confidence in [0, 1]; stop and target prices are optional.

    `hold` says that its source has no score to tell: by itself it keeps a position as it is and opens none.
    """

    id: str
    symbol: str
    score: float
    confidence: float
    source: str
    issued_at: datetime
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    hold: bool = False


class Day(NamedTuple):
    """What has been sent since the trading day began, counted by attempts, over all restarts."""

    orders_sent: int = 0
    orders_sent_by_symbol: Mapping[str, int] = {}


class Explanation(NamedTuple):
    """A known cause of a position change since the last closed cycle: signed shares and its kind."""

    symbol: str
    qty: Decimal
    kind: Literal["late_fill", "external_trade", "corporate_action"]
    reference: str


class Snapshot(NamedTuple):
    """Everything that a plan is made from. Nothing after it asks the world anything until orders go out.

    `expected_positions` is what the last closed cycle left (None: no expectation yet, adopt what is there);
    `explanations` are changes since then that have a known cause; `unexplained_before` holds, per symbol, the quantity
    that was read but not explained in the previous cycle: reading it again adopts it. `latched` are the loss limits
    broken earlier in this trading day, with the words said then; `stopped_out` tells when a protective exit last closed
    a symbol, `closed_by_kill` names those of them that a person's kill closed, `stop_exits` when a stop did (None:
    `stopped_out` does not tell stops from targets); `doubt` says why this reading as a whole cannot be the truth, ""
    when it can.
    """

    cycle_id: str
    as_of: datetime
    session: Session
    account: Account
    positions: tuple[Position, ...] = ()
    open_orders: tuple[OpenOrder, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    quotes: tuple[Quote, ...] = ()
    signals: tuple[Signal, ...] = ()
    day: Day = Day()
    expected_positions: Mapping[str, Decimal] | None = None
    explanations: tuple[Explanation, ...] = ()
    unexplained_before: Mapping[str, Decimal] = {}
    kill_switch: bool = False
    latched: Mapping[str, str] = {}
    stopped_out: Mapping[str, datetime] = {}
    doubt: str = ""
    closed_by_kill: tuple[str, ...] = ()
    stop_exits: Mapping[str, datetime] | None = None
    schema: Literal["rebalancer.snapshot/1"] = SNAPSHOT_SCHEMA


def coins(instruments: Iterable[Instrument]) -> frozenset[str]:
    """The symbols of crypto, by their asset class: how a symbol is spelled says nothing."""
    return frozenset(i.symbol for i in instruments if i.asset_class == "crypto")
