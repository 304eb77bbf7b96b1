"""What performance is computed from: fills, other movements of cash and shares, orders' stories, daily values.

Shares are signed (+ came, - went), money is signed US dollars (+ came), all exact decimals; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.values import ZERO, Side, is_pair

AssetClass = Literal["us_equity", "crypto"]
CashKind = Literal["dividend", "interest", "fee", "coin_fee", "flow", "other"]
ShareKind = Literal["corporate_action", "coin_fee", "in_kind"]
LotMethod = Literal["fifo", "average"]
UNKNOWN = "unknown"


class Fill(NamedTuple):
    """One execution. `order_id` is the broker's; `fee` is what this fill cost besides its price, zero or more."""

    id: str
    order_id: str
    at: datetime
    symbol: str
    qty: Decimal
    price: Decimal
    fee: Decimal = ZERO


class CashEvent(NamedTuple):
    """Cash that came or went without a trade. A `flow` is a deposit or a withdrawal: never profit, never loss."""

    id: str
    at: datetime
    kind: CashKind
    amount: Decimal
    symbol: str | None = None


class ShareEvent(NamedTuple):
    """Shares that came or went without a trade. A corporate action and a coin fee leave the cost as it is; shares `in
    kind` come and go at `price`, USD a share, and are a flow of that value."""

    id: str
    at: datetime
    symbol: str
    qty: Decimal
    kind: ShareKind
    price: Decimal = ZERO


class OrderHistory(NamedTuple):
    """What our journal knows of one order. Quantities are unsigned shares, prices USD a share.

    `decision_price` is the price that the plan was made with; `bid` and `ask` are the quote at arrival, the newest that
    was read before it was sent. None is "not known". `source` names who spoke for the trade, `reason` says why it was
    sent. `end_price` values what was not filled.
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

    @property
    def mid(self) -> Decimal | None:
        """Half-way between bid and ask at arrival."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2


class DayValue(NamedTuple):
    """The account at the end of one day. `flow` is what was paid in (+) or out (-) during it; `weighted_flow` is the
    same with each flow times the part of the trading day that was left: 1 before the open, 0 after the close."""

    day: date
    equity: Decimal
    flow: Decimal = ZERO
    weighted_flow: Decimal = ZERO
    cash: Decimal | None = None

    @property
    def exposure(self) -> float | None:
        """What is invested, long less short, as a fraction of equity; None when cash is not known."""
        return None if self.cash is None or self.equity <= 0 else float(1 - self.cash / self.equity)


class AccountHistory(NamedTuple):
    """Everything together. `opening` is the equity before the first of `days`, None when nobody wrote it down; it is
    of `opened_on`. `order_history` are by the broker's order id. `sectors` are by symbol. `inherited` is what was held
    when the books began, as if it had been bought then at its average price."""

    fills: tuple[Fill, ...] = ()
    cash: tuple[CashEvent, ...] = ()
    shares: tuple[ShareEvent, ...] = ()
    stories: Mapping[str, OrderHistory] = {}
    opening: Decimal | None = None
    opened_on: date | None = None
    days: tuple[DayValue, ...] = ()
    sectors: Mapping[str, str] = {}
    inherited: tuple[Fill, ...] = ()


def asset_class(symbol: str) -> AssetClass:
    """What kind of thing a symbol is: pairs such as BTC/USD are coins."""
    return "crypto" if is_pair(symbol) else "us_equity"
