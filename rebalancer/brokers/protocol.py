"""The interface between the program and a broker: small Protocols, and the records they exchange.

`ReadBroker` reads, `TradingBroker` also trades, `ConnectedBroker` is the open connection that `brokers.factory` hands
out. The program knows no more of a broker than these say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple, Protocol

from rebalancer.brokers.request_metrics import RequestMetrics
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account, Instrument, Position, Quote, Session
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import Side
from rebalancer.core.venue_rules import AssetClass, VenueRules

# how far each read of the order list overlaps the one before: the broker's clock may be off, its lists a minute behind
LOOK_BACK: Final = timedelta(seconds=120)


class BrokerOrder(NamedTuple):
    """An order as the broker reports it. `status` is the broker's value, `state` ours (OPEN for an unknown status)."""

    id: str
    client_order_id: str
    symbol: str
    asset_class: AssetClass
    side: Side
    type: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    status: str
    state: OrderState
    submitted_at: datetime
    filled_at: datetime | None
    replaced_by: str | None = None
    order_class: str = ""
    legs: tuple[str, ...] = ()  # the broker's ids of this order's child orders, where reported
    is_understood: bool = True  # whether its status is a word that the adapter knows


class ExitPair(NamedTuple):
    """Two exits of one position at the broker, a target and a stop, of which one cancels the other. `side` is that of
    the exit, `qty` unsigned whole shares, prices USD per share. `day`: a day order; else good till cancelled.
    `stop_limit_price`: the worst price that the stop accepts; None: it becomes a market order."""

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    stop_price: Decimal
    target_price: Decimal
    day: bool = False
    stop_limit_price: Decimal | None = None


class SendResult(NamedTuple):
    """What is known after one POST. Only `refused` means that the broker rejected the order; `not_sent` means that it
    never processed it."""

    kind: Literal["accepted", "refused", "not_sent", "unknown"]
    order: BrokerOrder | None
    reason: str  # classified, such as "buying_power", "wash_trade", "duplicate_id", "timeout"
    message: str  # the broker's or the transport's own message, without secrets


class BrokerFill(NamedTuple):
    """One execution from the broker's activity list. Signed shares, USD per share."""

    id: str
    order_id: str
    symbol: str
    qty: Decimal
    price: Decimal
    at: datetime


class Activity(NamedTuple):
    """A change that is not a fill: dividend, fee, split, transfer. `qty` is signed shares, `amount` signed USD."""

    id: str
    type: str
    symbol: str | None
    qty: Decimal
    amount: Decimal
    on: date


class DayBar(NamedTuple):
    """One completed day of one symbol, USD per share; a missing price is NaN."""

    close: float
    high: float
    low: float


class PriceBar(NamedTuple):
    """One bar of a stock, USD a share. begins: the time that it is stamped with; a day begins at midnight in New York.
    vwap: the volume-weighted average, NaN where it is missing."""

    begins: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float


Timeframe = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]
Adjustment = Literal["all", "raw"]


class DailyCloses(NamedTuple):
    """Daily closing prices, oldest first, one row per symbol; a day without a bar is NaN. `bars` has the completed days
    of each symbol with their highs and lows, oldest first, as received."""

    symbols: tuple[str, ...]
    days: tuple[date, ...]
    closes: Mapping[str, tuple[float, ...]]
    bars: Mapping[str, tuple[DayBar, ...]] = {}


class BrokerClock(NamedTuple):
    """The broker's own time and trading session."""

    now: datetime
    session: Session


class TradingHours(NamedTuple):
    """One trading day: its date in New York, and when the core session opens and closes, UTC."""

    day: date
    open: datetime
    close: datetime


class ReadBroker(Protocol):
    """Read-only access to a broker. Every method may raise `BrokerUnavailable` or `CredentialsRefused`; a failed or
    incomplete read never returns an empty result."""

    @property
    def venue(self) -> VenueRules:
        """What the venue prescribes for prices, fees, symbols and sessions. Makes no request."""
        ...

    def account(self) -> Account:
        """The account. Also raises WrongAccount when it is not the configured one."""
        ...

    def positions(self) -> tuple[Position, ...]: ...
    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        """All orders submitted after `after`, whatever their status, in one paged call; None: all open orders."""
        ...

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]: ...
    def clock(self) -> BrokerClock: ...
    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        """The trading days from `first` to `last`, both included."""
        ...

    def instruments(self) -> tuple[Instrument, ...]:
        """All active assets, without sector, correlation group or volatility."""
        ...

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses: ...
    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: datetime, last: datetime, adjustment: Adjustment
    ) -> Mapping[str, Sequence[PriceBar]]:
        """The bars of stocks that begin between two times, both included, by symbol and oldest first; no entry without
        any. adjustment: `all` for splits and dividends. The last bar may not be complete yet."""
        ...

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """Look up one order by our own id. None means that the broker did not find it, which does not yet prove that
        it was not placed."""
        ...

    def order(self, order_id: str) -> BrokerOrder | None:
        """Look up one order by the broker's own id, which may be that of a leg. None: the broker has no such order."""
        ...

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]: ...
    def now(self) -> datetime:
        """The broker's time, UTC: its last reported time plus the time since; calls `clock` when there is none."""
        ...


Allowed = Callable[[], bool] | None


class TradingBroker(ReadBroker, Protocol):
    """A broker that also accepts orders."""

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        """POST one order once. Never raises for the broker's response or a missing one: the result says what is known.

        allowed: called just before the first byte is sent, after all waiting for the rate limiter and a connection;
        False withholds the order, which is then `not_sent`.
        """
        ...

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        """POST one pair of exits once. Otherwise as `submit`."""
        ...

    def cancel(self, order_id: str) -> None:
        """Request cancellation by the broker's id. Returns once requested, not once cancelled; an order that has
        already ended is no error. Raises `BrokerUnavailable` when the request got no response."""
        ...


class ConnectedBroker(TradingBroker, Protocol):
    """An open connection to a broker. The caller closes it."""

    @property
    def traffic(self) -> RequestMetrics:
        """Counts the requests of this connection."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
