"""Observed facts: immutable inputs, gathered once per cycle into a `Snapshot`.

Quantities are shares (or coins), prices and money are US dollars, all exact decimals; a short position has a negative
quantity. Times are aware UTC. This module makes no decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.values import ZERO, Side
from rebalancer.core.venue_rules import ALPACA, AssetClass, VenueRules

SNAPSHOT_SCHEMA: Final = "rebalancer.snapshot/1"

RegimeName = Literal["BULL", "CHOP", "BEAR", "CRISIS"]
BY_CAUTION: Final[tuple[RegimeName, ...]] = ("BULL", "CHOP", "BEAR", "CRISIS")  # the later, the more careful


class Session(NamedTuple):
    """The trading session that the cycle falls into, or the next one, by the broker's clock."""

    is_open: bool
    open: datetime
    close: datetime


class Account(NamedTuple):
    """The broker's account. `peak_equity` is the high-water mark from the journal; both it and `last_equity` are
    adjusted for deposits and withdrawals since then, so that these do not count as profit or loss. `restrictions` are
    the flags that forbid trading (`trading_blocked`, `account_blocked`, `trade_suspended_by_user`, `status:...`)."""

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
    """One position. `qty_available` is the part not reserved by any open order, with the sign of `qty`."""

    symbol: str
    qty: Decimal
    qty_available: Decimal
    avg_entry_price: Decimal


class OpenOrder(NamedTuple):
    """An order that may still fill. `unknown` marks one of ours whose state the broker has not reported."""

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
        """Signed shares that the order may still buy (+) or sell (-)."""
        left = max(self.qty - self.filled_qty, ZERO)
        return left if self.side == "buy" else -left


class Instrument(NamedTuple):
    """An instrument's trading properties. `volatility` is annualised (0.28 = 28 %); `lot` and `tick` are the quantity
    and price increments; `atr` is the daily average true range, USD per share."""

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
    """A source's view of one symbol: score in [-1, 1], confidence in [0, 1]; stop and target prices are optional.

    `hold` means that the source gives no score: on its own it keeps an existing position unchanged and opens none.
    `target` is a signed target weight, a fraction of what `signals.weights_of` says; the score is then its sign and the
    confidence 1 (see `of_target`).
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
    target: Decimal | None = None

    @classmethod
    def of_target(
        cls,
        id: str,
        symbol: str,
        target: Decimal,
        source: str,
        issued_at: datetime,
        stop_price: Decimal | None = None,
        target_price: Decimal | None = None,
    ) -> Signal:
        """A target weight instead of a score."""
        return cls(
            id, symbol, sign_of(target), 1.0, source, issued_at, stop_price, target_price, hold=False, target=target
        )


def sign_of(target: Decimal) -> float:
    """The score of a target weight: 1 for a long one, -1 for a short one, 0 for none."""
    return float((target > 0) - (target < 0))


class Day(NamedTuple):
    """Orders sent since the trading day began, counting every attempt, across restarts."""

    orders_sent: int = 0
    orders_sent_by_symbol: Mapping[str, int] = {}


class Explanation(NamedTuple):
    """A known cause of a position change since the last closed cycle: signed shares and the kind of cause."""

    symbol: str
    qty: Decimal
    kind: Literal["late_fill", "external_trade", "corporate_action"]
    reference: str


class Regime(NamedTuple):
    """The market's regime at the end of the session `as_of`.

    since: the session at whose end it began; sessions: how many it has lasted, that one included. missing: sessions in
    a row, up to `as_of`, on which the benchmark had no close. measured_on: the session of the measures (`regimes.
    measures.Measures`); None before the first ones.
    """

    name: RegimeName
    since: date
    sessions: int
    as_of: date
    missing: int = 0
    measured_on: date | None = None
    trend: float | None = None
    slope: float | None = None
    volatility: float | None = None
    drawdown: float | None = None
    breadth: float | None = None


class TradingCosts(NamedTuple):
    """What trading costs one way, in basis points of the value traded, from the price of the decision to the fills;
    fees are not in it. as_of: the day of the newest orders from which it was learned; orders: how many. usual: of a
    name that is not in `by_symbol`."""

    as_of: date
    orders: int
    usual: float
    by_symbol: Mapping[str, float] = {}


class Snapshot(NamedTuple):
    """All inputs of a plan. After it is taken, nothing external is read until orders are sent.

    `expected_positions` are the positions left by the last closed cycle (None: no expectation yet, adopt what is
    there); `explanations` are changes since then with a known cause; `unexplained_before` holds, per symbol, the
    unexplained quantity read in the previous cycle: if it reads the same again it is adopted. `latched` maps loss
    limits breached earlier in this trading day to the reason recorded then. `stopped_out` is the time of the last
    protective exit per symbol; `closed_by_kill` lists the symbols among them that were closed by the kill command;
    `stop_exits` is the time of the last exit by a stop (None: `stopped_out` does not distinguish stops from targets).
    `doubt` says why the reading as a whole is implausible, "" when it is not. `venue` holds the rules of the broker
    that was read. `unknown_words` maps symbols to what the broker said of them in a word that this program does not
    know. `regime` is the market's; None where nobody judges it. `trading_costs` are those learned from our own fills;
    None before any evening has learned them.
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
    unknown_words: Mapping[str, str] = {}
    venue: VenueRules = ALPACA
    regime: Regime | None = None
    trading_costs: TradingCosts | None = None
    schema: Literal["rebalancer.snapshot/1"] = SNAPSHOT_SCHEMA


def coins(instruments: Iterable[Instrument]) -> frozenset[str]:
    """The crypto symbols, by asset class; the spelling of a symbol is not relied on."""
    return frozenset(i.symbol for i in instruments if i.asset_class == "crypto")
