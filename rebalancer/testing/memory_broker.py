"""A broker in memory: no HTTP, no files, no waiting. It implements `brokers.protocol.ConnectedBroker` and nothing else.

Market orders fill at once at the price of their symbol, limit orders too when that price is within the limit. `refuse`
and `part` say what goes otherwise. It is also the shortest example of an adapter for another broker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from rebalancer.brokers.protocol import (
    Activity,
    Adjustment,
    Allowed,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    DailyCloses,
    ExitPair,
    PriceBar,
    SendResult,
    Timeframe,
    TradingHours,
)
from rebalancer.brokers.request_metrics import RequestMetrics
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account, Instrument, Position, Quote, Session
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import CENT, FRACTIONAL_LOT, ZERO
from rebalancer.core.venue_rules import ALPACA, VenueRules

START: Final = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # a Friday, within the session
OPENS, CLOSES = time(14, 30), time(21)  # UTC
MULTIPLIER: Final = 2
VENUE: Final = ALPACA._replace(
    name="memory",
    equity_tick=Decimal("0.05"),
    equity_tick_below=Decimal("0.01"),
    collar_low=Decimal("1.10"),
    collar_high=Decimal("1.10"),
)


class MemoryBroker:
    """One account. Not thread-safe. `calls` lists the names of all calls, each post with its symbol."""

    def __init__(
        self,
        prices: Mapping[str, Decimal],
        *,
        cash: Decimal = Decimal(100_000),
        refuse: Sequence[str] = (),
        part: Mapping[str, Decimal] | None = None,
        venue: VenueRules = VENUE,
    ) -> None:
        """prices: USD by symbol, all of them stocks. refuse: symbols whose orders are refused. part: by symbol, the
        shares of an order that fill; the rest keeps working until it is cancelled."""
        self.venue, self.traffic = venue, RequestMetrics()
        self.prices, self.refuse, self.part = dict(prices), set(refuse), dict(part or {})
        self.calls: list[str] = []
        self._now, self._cash = START, cash
        self._held: dict[str, tuple[Decimal, Decimal]] = {}
        self._orders: dict[str, BrokerOrder] = {}
        self._fills: list[BrokerFill] = []

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    # --- reading

    def account(self) -> Account:
        self.calls.append("account")
        gross = sum((abs(qty) * self.prices[symbol] for symbol, (qty, _) in self._held.items()), ZERO)
        equity = self._cash + sum((qty * self.prices[symbol] for symbol, (qty, _) in self._held.items()), ZERO)
        power = max(equity * MULTIPLIER - gross, ZERO)
        return Account(
            "memory-1", equity, equity, ZERO, self._cash, power, Decimal(MULTIPLIER), shorting_enabled=True,
        )  # fmt: skip

    def positions(self) -> tuple[Position, ...]:
        self.calls.append("positions")
        rows = sorted(self._held.items())
        return tuple(Position(symbol, qty, qty - self._reserved(symbol, qty), cost) for symbol, (qty, cost) in rows)

    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        self.calls.append("orders")
        every = self._orders.values()
        return tuple(o for o in every if (not o.state.is_final if after is None else o.submitted_at > after))

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        self.calls.append("quotes")
        known = [s for s in symbols if s in self.prices]
        return tuple(
            Quote(s, self.prices[s] - CENT, self.prices[s] + CENT, self.prices[s], self._now) for s in sorted(known)
        )

    def clock(self) -> BrokerClock:
        self.calls.append("clock")
        (hours,) = self.calendar(self._now.date(), self._now.date())
        return BrokerClock(self._now, Session(hours.open <= self._now < hours.close, hours.open, hours.close))

    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return tuple(
            TradingHours(day, datetime.combine(day, OPENS, UTC), datetime.combine(day, CLOSES, UTC))
            for day in days
            if day.weekday() < 5
        )

    def instruments(self) -> tuple[Instrument, ...]:
        self.calls.append("instruments")
        return tuple(
            Instrument(s, "us_equity", True, True, True, FRACTIONAL_LOT, self.venue.equity_tick_below)
            for s in sorted(self.prices)
        )

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses:
        """Closes that go up and down by one percent, each symbol in a rhythm of its own."""
        self.calls.append("daily_closes")
        dates = tuple(self._now.date() - timedelta(days=n) for n in range(days, 0, -1))
        rows = {
            s: tuple(float(self.prices[s]) * (1.01 if (n // (rank + 1)) % 2 else 1.0) for n in range(days))
            for rank, s in enumerate(sorted(symbols))
        }
        return DailyCloses(tuple(rows), dates, rows)

    def bars(
        self,
        symbols: Sequence[str],  # noqa: ARG002 - the signature is the protocol's
        timeframe: Timeframe,  # noqa: ARG002
        first: datetime,  # noqa: ARG002
        last: datetime,  # noqa: ARG002
        adjustment: Adjustment,  # noqa: ARG002
    ) -> Mapping[str, Sequence[PriceBar]]:
        """None: it keeps no bars."""
        self.calls.append("bars")
        return {}

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        self.calls.append("find_order")
        return next((o for o in self._orders.values() if o.client_order_id == client_order_id), None)

    def order(self, order_id: str) -> BrokerOrder | None:
        self.calls.append("order")
        return self._orders.get(order_id)

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]:
        self.calls.append("activities")
        return tuple(fill for fill in self._fills if fill.at > after), ()

    def now(self) -> datetime:
        return self._now

    # --- trading

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        if allowed is not None and not allowed():
            return SendResult("not_sent", None, "withheld", "it was not allowed to leave any more")
        self.calls.append(f"submit {order.symbol}")
        if any(o.client_order_id == order.client_order_id for o in self._orders.values()):
            return SendResult("refused", None, "duplicate_id", "client_order_id must be unique")
        if order.symbol in self.refuse:
            return SendResult("refused", None, "other", f"{order.symbol} is not taken today")
        placed = BrokerOrder(
            id=f"m{len(self._orders) + 1}",
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            asset_class=self.venue.asset_class(order.symbol),
            side=order.side,
            type=order.type,
            qty=order.qty,
            notional=None,
            limit_price=order.limit_price,
            filled_qty=ZERO,
            filled_avg_price=None,
            status="new",
            state=OrderState.OPEN,
            submitted_at=self._now,
            filled_at=None,
        )
        self._orders[placed.id] = placed
        self._fill(placed)
        return SendResult("accepted", placed, "accepted", "the broker says new")

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        """This venue has no exit pairs: protection is left to the monitor."""
        del allowed
        self.calls.append(f"submit_pair {pair.symbol}")
        return SendResult("refused", None, "other", "this venue takes no exit pairs")

    def cancel(self, order_id: str) -> None:
        self.calls.append("cancel")
        order = self._orders[order_id]
        if not order.state.is_final:
            self._orders[order_id] = order._replace(status="canceled", state=OrderState.CANCELED)

    def close(self) -> None:
        """There is nothing to close."""

    def _fill(self, order: BrokerOrder) -> None:
        price, sign = self.prices[order.symbol], 1 if order.side == "buy" else -1
        if order.qty is None or (order.limit_price is not None and (price - order.limit_price) * sign > 0):
            return
        qty = min(order.qty, self.part.get(order.symbol, order.qty))
        held, cost = self._held.get(order.symbol, (ZERO, ZERO))
        after = held + qty * sign
        if held * sign >= 0 and after != 0:  # opened or increased: the average of what was paid
            cost = (abs(held) * cost + qty * price) / abs(after)
        self._held[order.symbol] = (after, cost)
        if after == 0:
            del self._held[order.symbol]
        self._cash -= qty * price * sign
        self._fills.append(BrokerFill(f"f{len(self._fills) + 1}", order.id, order.symbol, qty * sign, price, self._now))
        is_whole = qty == order.qty
        self._orders[order.id] = order._replace(
            filled_qty=qty,
            filled_avg_price=price,
            status="filled" if is_whole else "partially_filled",
            state=OrderState.FILLED if is_whole else OrderState.OPEN,
            filled_at=self._now if is_whole else None,
        )

    def _reserved(self, symbol: str, held: Decimal) -> Decimal:
        """The part of a position that working orders against it hold, with its sign."""
        sells = [o for o in self._orders.values() if o.symbol == symbol and not o.state.is_final]
        rest = sum(((o.qty or ZERO) - o.filled_qty for o in sells if (o.side == "sell") == (held > 0)), ZERO)
        return min(rest, abs(held)).copy_sign(held)


class MemoryClock:
    """Waiting takes no time: it moves the broker's clock."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def monotonic(self) -> float:
        return (self._broker.now() - START).total_seconds()

    def wait(self, seconds: float) -> None:
        self._broker.advance(max(seconds, 0.001))

    def wall(self) -> datetime:
        return self._broker.now()
