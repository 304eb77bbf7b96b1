"""The broker as the rest of the program sees it: Alpaca or the embedded exchange, through alpaca-py's REST client."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from rebalancer.brokers.alpaca.account_reading import read_account, read_calendar, read_clock, read_positions
from rebalancer.brokers.alpaca.answers import Refused
from rebalancer.brokers.alpaca.bar_history import ask_bars
from rebalancer.brokers.alpaca.client import Client
from rebalancer.brokers.alpaca.fields import UnreadableField, table, understood
from rebalancer.brokers.alpaca.market_client import ask_daily_closes, ask_quotes
from rebalancer.brokers.alpaca.market_reading import read_instruments
from rebalancer.brokers.alpaca.order_reading import read_activity, read_order
from rebalancer.brokers.alpaca.paging import activity_rows, order_rows
from rebalancer.brokers.alpaca.submit import send_order, send_pair
from rebalancer.brokers.endpoints import Credentials, Endpoints, refuse_live
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
from rebalancer.core.decisions import Order
from rebalancer.core.errors import WrongAccount
from rebalancer.core.facts import Account, Instrument, Position, Quote
from rebalancer.core.rules import Broker as BrokerRules
from rebalancer.core.venue_rules import ALPACA, AssetClass
from rebalancer.ops.clock import seconds_since_boot

_ORDER_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_NOT_FOUND: Final = 40410000
_CLASSES: Final[tuple[AssetClass, ...]] = ("us_equity", "crypto")


class AlpacaBroker:
    """A `ConnectedBroker` on Alpaca's trading and data APIs. Thread-safe; opens connections as needed."""

    venue: Final = ALPACA

    def __init__(
        self,
        credentials: Credentials,
        endpoints: Endpoints,
        rules: BrokerRules,
        *,
        monotonic: Callable[[], float] = seconds_since_boot,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Make no request yet. Raises CredentialsRefused for the live host unless live trading is enabled.

        monotonic: a monotonic clock, in seconds. wait: sleeps for a number of seconds. Tests can replace both.
        """
        refuse_live(endpoints)
        self._endpoints, self._rules = endpoints, rules
        self._asking = Client(credentials, endpoints, rules, monotonic, wait or threading.Event().wait)
        self.traffic = self._asking.traffic

    def account(self) -> Account:
        """The account. Also raises WrongAccount when it is not the one that `broker.account_id` names."""
        body = self._asking.read("/account").body
        with understood("account"):
            account, names = read_account(body, self._endpoints.is_live)
        wanted = self._rules.account_id
        if wanted is not None and wanted not in names:
            raise WrongAccount(
                f"the key belongs to account {account.id}, but broker.account_id is {wanted}: "
                "use the other key, or correct the configuration"
            )
        return account

    def positions(self) -> tuple[Position, ...]:
        body = self._asking.read("/positions").body
        with understood("list of positions"):
            return read_positions(body)

    def orders(self, after: datetime | None) -> tuple[BrokerOrder, ...]:
        with understood("list of orders"):
            read = (read_order(row) for row in order_rows(self._asking, after))
            return tuple(order for order in read if order is not None)

    def quotes(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        with understood("list of quotes"):
            return ask_quotes(self._asking, symbols, self._rules.data_feed)

    def clock(self) -> BrokerClock:
        answer = self._asking.read("/clock")
        with understood("clock"):
            clock = read_clock(answer.body)
        self._asking.time.heard_clock(clock.now, answer.headers.get("Date"))
        return clock

    def calendar(self, first: date, last: date) -> tuple[TradingHours, ...]:
        """The broker's trading days from `first` to `last`, both included."""
        body = self._asking.read("/calendar", {"start": first.isoformat(), "end": last.isoformat()}).body
        with understood("calendar"):
            return read_calendar(body)

    def instruments(self) -> tuple[Instrument, ...]:
        found: list[Instrument] = []
        for kind in _CLASSES:
            body = self._asking.read("/assets", {"status": "active", "asset_class": kind}).body
            with understood("list of assets"):
                found += read_instruments(body, kind)
        return tuple(sorted(found, key=lambda instrument: instrument.symbol))

    def daily_closes(self, symbols: Sequence[str], days: int) -> DailyCloses:
        with understood("daily bars"):
            return ask_daily_closes(self._asking, symbols, days, self._rules.data_feed, self.now())

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: datetime, last: datetime, adjustment: Adjustment
    ) -> Mapping[str, Sequence[PriceBar]]:
        with understood("bars"):
            return ask_bars(self._asking, symbols, timeframe, first, last, adjustment, self._rules.data_feed)

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        try:
            body = self._asking.read("/orders:by_client_order_id", {"client_order_id": client_order_id}).body
        except Refused as refused:
            # A proxy or a wrong base address also answers 404; only Alpaca's own message proves that it searched.
            if refused.code == _NOT_FOUND and "order not found" in refused.message:
                return None
            raise
        with understood("order"):
            order = read_order(table(body, "order"))
            if order is None or order.client_order_id != client_order_id:
                raise UnreadableField(
                    f"asked for {client_order_id}, got {order.client_order_id if order else 'another'}"
                )
        is_complete = order.order_class != "oco" or order.legs
        return order if is_complete else self.order(order.id)  # only a lookup by the broker's id returns the legs

    def order(self, order_id: str) -> BrokerOrder | None:
        try:
            body = self._asking.read(f"/orders/{_own_id(order_id)}", {"nested": "true"}).body
        except Refused as refused:
            if refused.code == _NOT_FOUND and "order not found" in refused.message:
                return None
            raise
        with understood("order"):
            order = read_order(table(body, "order"))
            if order is None or order.id != order_id:
                raise UnreadableField(f"asked for {order_id}, got {order.id if order else 'another'}")
        return order

    def activities(self, after: datetime) -> tuple[tuple[BrokerFill, ...], tuple[Activity, ...]]:
        with understood("list of activities"):
            found = [read_activity(row) for row in activity_rows(self._asking, after)]
        fills = tuple(row for row in found if isinstance(row, BrokerFill))
        return fills, tuple(row for row in found if isinstance(row, Activity))

    def now(self) -> datetime:
        moment = self._asking.time.now()
        return self.clock().now if moment is None else moment

    def submit(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        return send_order(self._asking, order, allowed)

    def submit_pair(self, pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        return send_pair(self._asking, pair, allowed)

    def cancel(self, order_id: str) -> None:
        try:
            self._asking.delete(f"/orders/{_own_id(order_id)}")
        except Refused as refused:
            if refused.status != 422:  # 422: it has ended or is ending; reading the order shows how
                raise

    def close(self) -> None:
        """Close all connections."""
        self._asking.close()


def _own_id(order_id: str) -> str:
    """The id, checked for the form of a broker id because it becomes part of a URL path. Raises ValueError."""
    if _ORDER_ID.fullmatch(order_id) is None:
        raise ValueError(f"{order_id!r:.80} is not an order id of the broker")
    return order_id
