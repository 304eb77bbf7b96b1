"""Input records for performance: fills, other cash and share movements, order histories, daily values.

Shares are signed (+ received, - delivered), money is signed US dollars (+ received), all exact decimals; times are
aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.values import ZERO, Side
from rebalancer.core.venue_rules import ALPACA, AssetClass
from rebalancer.performance.drawdown import MarkReading

CashKind = Literal["dividend", "interest", "fee", "coin_fee", "flow", "other"]
ShareKind = Literal["corporate_action", "coin_fee", "in_kind"]
LotMethod = Literal["fifo", "average"]
TradeCause = Literal["target", "cap", "neutral", "flat-by", "kill", "stop", "take-profit", "hand", ""]
UNKNOWN = "unknown"


class Fill(NamedTuple):
    """One execution. `order_id` is the broker's; `fee` is the cost of this fill besides its price, zero or more."""

    id: str
    order_id: str
    at: datetime
    symbol: str
    qty: Decimal
    price: Decimal
    fee: Decimal = ZERO


class CashEvent(NamedTuple):
    """Cash received or paid without a trade. A `flow` is a deposit or withdrawal, which is neither profit nor loss."""

    id: str
    at: datetime
    kind: CashKind
    amount: Decimal
    symbol: str | None = None


class ShareEvent(NamedTuple):
    """Shares received or delivered without a trade. A corporate action or a crypto fee leaves the cost unchanged;
    transfers `in_kind` are made at `price`, USD per share, and are a flow of that value."""

    id: str
    at: datetime
    symbol: str
    qty: Decimal
    kind: ShareKind
    price: Decimal = ZERO


class OrderHistory(NamedTuple):
    """What our journal records about one order. Quantities are unsigned shares, prices USD per share.

    `decision_price` is the price used in the plan; `bid` and `ask` are the arrival quote, the newest that was read
    before the order was sent. None means "not known". `source` is the signal source of the trade, `reason` says why it
    was sent and `cause` names its category. `end_price` values the unfilled part.
    """

    order_id: str
    client_order_id: str
    cycle_id: str
    symbol: str
    side: Side
    qty: Decimal
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    decision_price: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    sent_at: datetime
    filled_at: datetime | None
    source: str = UNKNOWN
    reason: str = ""
    end_price: Decimal | None = None
    cause: TradeCause = ""

    @property
    def mid(self) -> Decimal | None:
        """The mid price at arrival."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2


class DayValue(NamedTuple):
    """The account at the end of one day. `flow` is the net deposit (+) or withdrawal (-) of the day; `weighted_flow`
    weights each flow by the remaining fraction of the trading day: 1 before the open, 0 after the close."""

    day: date
    equity: Decimal
    flow: Decimal = ZERO
    weighted_flow: Decimal = ZERO
    cash: Decimal | None = None

    @property
    def exposure(self) -> float | None:
        """Net exposure, long less short, as a fraction of equity; None when cash is not known."""
        return None if self.cash is None or self.equity <= 0 else float(1 - self.cash / self.equity)


class AccountHistory(NamedTuple):
    """All records of an account. `opening` is the equity on `opened_on`, before the first of `days`; None when it was
    not recorded. `order_histories` are by the broker's order id, `sectors` by symbol. `inherited` are the positions
    held when the records began, as if bought then at their average price. `readings` are the equity and the high-water
    mark after every cycle and at every daily close, oldest first."""

    fills: tuple[Fill, ...] = ()
    cash: tuple[CashEvent, ...] = ()
    shares: tuple[ShareEvent, ...] = ()
    order_histories: Mapping[str, OrderHistory] = {}
    opening: Decimal | None = None
    opened_on: date | None = None
    days: tuple[DayValue, ...] = ()
    sectors: Mapping[str, str] = {}
    inherited: tuple[Fill, ...] = ()
    readings: tuple[MarkReading, ...] = ()


def asset_class(symbol: str) -> AssetClass:
    """The asset class of a symbol, by its spelling: the records of this room hold nothing else."""
    return ALPACA.asset_class(symbol)
