"""The seams between the cycle and the world: small Protocols, and the records that cross them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple, Protocol

from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account, AssetClass, Instrument, Position, Quote, Session
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import Side

# how far before a reading the next one begins: the broker's clock may be wrong for once, its lists a minute behind
LOOK_BACK: Final = timedelta(seconds=120)


class BrokerOrder(NamedTuple):
    """An order as the broker tells it. `status` is its word, `state` our reading of it (unknown words are OPEN)."""

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
    legs: tuple[str, ...] = ()  # the broker's ids of the orders that hang on this one, where it told them


class ExitPair(NamedTuple):
    """Two exits of one position at the broker, of which one cancels the other: a target and a stop. `side` is that of
    the exit, `qty` unsigned whole shares, prices USD per share. `day`: it ends with the day; else it rests until it is
    cancelled. `stop_limit_price`: the worst price that the stop takes; None: it sells or buys at the market."""

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    stop_price: Decimal
    target_price: Decimal
    day: bool = False
    stop_limit_price: Decimal | None = None


class SendResult(NamedTuple):
    """What is known after one POST. Only `refused` means that the broker said no; `not_sent` that it never heard."""

    kind: Literal["accepted", "refused", "not_sent", "unknown"]
    order: BrokerOrder | None
    reason: str  # classified, such as "buying_power", "wash_trade", "duplicate_id", "timeout"
    message: str  # the broker's or the transport's own words, without secrets


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
    """One finished day of one symbol, USD per share; a price that is missing is NaN."""

    close: float
    high: float
    low: float


class DailyCloses(NamedTuple):
    """Daily closing prices, oldest first, one row per symbol; a day without a bar is NaN. `bars` has the finished days
    of each symbol with their highs and lows, oldest first, as they came."""

    symbols: tuple[str, ...]
    days: tuple[date, ...]
    closes: Mapping[str, tuple[float, ...]]
    bars: Mapping[str, tuple[DayBar, ...]] = {}


class BrokerClock(NamedTuple):
    """The broker's own time and session."""

    now: datetime
    session: Session


class TradingHours(NamedTuple):
    """One trading day: its date in New York, and when the core session opens and closes, UTC."""

    day: date
    open: datetime
    close: datetime


class ReadBroker(Protocol):
    """Everything that can be asked and nothing that can be changed. Every method may raise `BrokerUnavailable` or
    `CredentialsRefused`; a failed or incomplete read is never an empty answer."""

    def account(self) -> Account: ...
    def positions(self) -> tuple[Position, ...]: ...
    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        """All orders submitted after `after`, whatever their status, in one paged call; None: all that are open."""
        ...

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]: ...
    def clock(self) -> BrokerClock: ...
    def instruments(self) -> tuple[Instrument, ...]:
        """All active assets, without sector, group and volatility."""
        ...

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses: ...
    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """Ask for one order by our own id. None is the broker's "not found", which is not yet "was not placed"."""
        ...

    def order(self, order_id: str) -> BrokerOrder | None:
        """Ask for one order by the broker's own id, a leg of another one included. None: the broker has none."""
        ...

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]: ...
    def now(self) -> datetime:
        """The broker's time by its last answer plus the time since; asks `clock` when there was none. UTC."""
        ...


Allowed = Callable[[], bool] | None


class TradingBroker(ReadBroker, Protocol):
    """A broker that can also be told to trade."""

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        """POST one order once. Never raises for the broker's answer or silence: the result says what is known.

        allowed: asked in the instant before the first byte leaves, after all waiting for a turn and a connection;
        False withholds the order, which is then `not_sent`.
        """
        ...

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        """POST one pair of exits once, good until cancelled. As `submit`."""
        ...

    def cancel(self, order_id: str) -> None:
        """Ask for a cancel by the broker's id. Returns when asked, not when done; an order that already ended is
        no error. Raises `BrokerUnavailable` when the request got no answer."""
        ...
