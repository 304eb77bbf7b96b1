"""A broker behind a fence: whatever changes something there is asked for once more, in the last instant before it
leaves, whether this process still may."""

from __future__ import annotations

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
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Account, Instrument, Position, Quote
from rebalancer.core.venue_rules import VenueRules

Fence = Callable[[], str | None]
REFUSED: str = "lease"


class FencedBroker:
    """Forwards every call; orders, pairs and cancels only while the fence says nothing. Thread-safe."""

    def __init__(self, broker: TradingBroker, fence: Fence) -> None:
        """fence: why nothing may be sent, None while everything may. It is called just before the first byte."""
        self._broker, self._fence = broker, fence

    @property
    def venue(self) -> VenueRules:
        return self._broker.venue

    def account(self) -> Account:
        return self._broker.account()

    def positions(self) -> tuple[Position, ...]:
        return self._broker.positions()

    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        return self._broker.orders(after)

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        return self._broker.quotes(symbols)

    def clock(self) -> BrokerClock:
        return self._broker.clock()

    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        return self._broker.calendar(first, last)

    def instruments(self) -> tuple[Instrument, ...]:
        return self._broker.instruments()

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses:
        return self._broker.daily_closes(symbols, days)

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: datetime, last: datetime, adjustment: Adjustment
    ) -> Mapping[str, Sequence[PriceBar]]:
        return self._broker.bars(symbols, timeframe, first, last, adjustment)

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        return self._broker.find_order(client_order_id)

    def order(self, order_id: str) -> BrokerOrder | None:
        return self._broker.order(order_id)

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]:
        return self._broker.activities(after)

    def now(self) -> datetime:
        return self._broker.now()

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        """POST an order, unless the fence forbids it: then it is `not_sent`."""
        return self._sent(lambda check: self._broker.submit(order, allowed=check), allowed)

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        """POST a pair of exits, likewise."""
        return self._sent(lambda check: self._broker.submit_pair(pair, allowed=check), allowed)

    def cancel(self, order_id: str) -> None:
        """Request a cancel. Raises BrokerUnavailable when the fence forbids it: the order is another host's now."""
        why = self._fence()
        if why is not None:
            raise BrokerUnavailable(f"no cancel was sent: {why}")
        self._broker.cancel(order_id)

    def _sent(self, send: Callable[[Callable[[], bool]], SendResult], allowed: Allowed) -> SendResult:
        said: list[str] = []

        def check() -> bool:
            if allowed is not None and not allowed():
                return False
            why = self._fence()  # last, because the checks before it take time
            if why is not None:
                said.append(why)
            return not said

        result = send(check)
        return SendResult("not_sent", None, REFUSED, said[0]) if said else result
