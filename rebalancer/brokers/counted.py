"""A broker that counts its calls by name, for the report and to keep the number of reads low."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

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
    TradingBroker,
    TradingHours,
)
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account, Instrument, Position, Quote
from rebalancer.core.venue_rules import VenueRules


class CountedBroker:
    """Forwards every call and counts it. Thread-safe."""

    def __init__(self, broker: TradingBroker, heard: Callable[[str], None] | None = None) -> None:
        """heard: called with the name of every call, before it is made."""
        self._broker, self._heard = broker, heard
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()

    def calls(self) -> Mapping[str, int]:
        """The number of calls by name, in alphabetical order."""
        with self._lock:
            return dict(sorted(self._calls.items()))

    @property
    def venue(self) -> VenueRules:
        return self._broker.venue

    def account(self) -> Account:
        self._count("account")
        return self._broker.account()

    def positions(self) -> tuple[Position, ...]:
        self._count("positions")
        return self._broker.positions()

    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        self._count("orders")
        return self._broker.orders(after)

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        if not symbols:
            return ()
        self._count("quotes")
        return self._broker.quotes(symbols)

    def clock(self) -> BrokerClock:
        self._count("clock")
        return self._broker.clock()

    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        self._count("calendar")
        return self._broker.calendar(first, last)

    def instruments(self) -> tuple[Instrument, ...]:
        self._count("instruments")
        return self._broker.instruments()

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses:
        self._count("daily_closes")
        return self._broker.daily_closes(symbols, days)

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: datetime, last: datetime, adjustment: Adjustment
    ) -> Mapping[str, Sequence[PriceBar]]:
        self._count("bars")
        return self._broker.bars(symbols, timeframe, first, last, adjustment)

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        self._count("find_order")
        return self._broker.find_order(client_order_id)

    def order(self, order_id: str) -> BrokerOrder | None:
        self._count("order")
        return self._broker.order(order_id)

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]:
        self._count("activities")
        return self._broker.activities(after)

    def now(self) -> datetime:
        return self._broker.now()

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        self._count("submit")
        return self._broker.submit(order, allowed=allowed)

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        self._count("submit_pair")
        return self._broker.submit_pair(pair, allowed=allowed)

    def cancel(self, order_id: str) -> None:
        self._count("cancel")
        self._broker.cancel(order_id)

    def _count(self, name: str) -> None:
        with self._lock:
            self._calls[name] += 1
        if self._heard is not None:
            self._heard(name)
