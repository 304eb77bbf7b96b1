"""A read-only broker for dry runs, so that none of their code paths can send an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from rebalancer.brokers.protocol import (
    Activity,
    Adjustment,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    DailyCloses,
    PriceBar,
    ReadBroker,
    Timeframe,
    TradingHours,
)
from rebalancer.core.facts import Account, Instrument, Position, Quote
from rebalancer.core.venue_rules import VenueRules


class ReadOnlyBroker:
    """Forwards every read to another broker. It has no `submit` and no `cancel`."""

    __slots__ = ("_reads",)

    def __init__(self, broker: ReadBroker) -> None:
        self._reads = broker

    @property
    def venue(self) -> VenueRules:
        return self._reads.venue

    def account(self) -> Account:
        return self._reads.account()

    def positions(self) -> tuple[Position, ...]:
        return self._reads.positions()

    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        return self._reads.orders(after)

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        return self._reads.quotes(symbols)

    def clock(self) -> BrokerClock:
        return self._reads.clock()

    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        return self._reads.calendar(first, last)

    def instruments(self) -> tuple[Instrument, ...]:
        return self._reads.instruments()

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses:
        return self._reads.daily_closes(symbols, days)

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: datetime, last: datetime, adjustment: Adjustment
    ) -> Mapping[str, Sequence[PriceBar]]:
        return self._reads.bars(symbols, timeframe, first, last, adjustment)

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        return self._reads.find_order(client_order_id)

    def order(self, order_id: str) -> BrokerOrder | None:
        return self._reads.order(order_id)

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]:
        return self._reads.activities(after)

    def now(self) -> datetime:
        return self._reads.now()
