"""`Exchange`: what every request means, on plain dicts, without sockets.

Every public method first lets the market catch up with the clock, then answers from the state of that moment, all under
one lock and in one SQLite transaction: either the whole request happened or none of it.
"""

from __future__ import annotations

import heapq
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time
from decimal import Decimal
from typing import NamedTuple

from rebalancer.exchange import errors, matching
from rebalancer.exchange.books import Books, computed_id
from rebalancer.exchange.calendar import (
    MICROS,
    NEW_YORK,
    SessionTable,
    midnight_new_york,
    moment_of,
    new_york_day,
)
from rebalancer.exchange.checks import Desk, admit, check_asset
from rebalancer.exchange.clock import SimulatedClock
from rebalancer.exchange.configuration import Configuration, configuration_from, patched
from rebalancer.exchange.margin import AccountNumbers, account_numbers
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.order import Order
from rebalancer.exchange.order_request import OrderRequest, read_order_request
from rebalancer.exchange.store import Store
from rebalancer.exchange.views import account_view, asset_id


class Behaviour(NamedTuple):
    """How the exchange behaves; free to differ from one start to the next."""

    fill_latency_seconds: float = 0.04  # wall time from acceptance to fill
    partial_fill_probability: float = 0.1
    multiplier: int = 2


class Exchange:
    """One account at one simulated broker. Thread-safe."""

    def __init__(self, store: Store, clock: SimulatedClock, market: Market, behaviour: Behaviour) -> None:
        self.clock, self.market, self.behaviour = clock, market, behaviour
        self.sessions: SessionTable = market.sessions
        self.store = store
        self.lock = threading.RLock()
        self._by_asset_id = {asset_id(symbol): listing for symbol, listing in market.listings.items()}
        self._load()

    def _load(self) -> None:
        """Take the state from the store: at the start, and after a rolled-back request."""
        self.books = Books(self.store, self.market.seed)
        self.orders = {order.id: order for order in self.store.open_orders()}
        self.configuration: Configuration = configuration_from(self.store.meta("configuration"))
        self.caught_up = int(self.store.meta("caught_up") or 0)
        self._last_seq = self.store.last_order_seq()
        self._agenda: list[tuple[int, int, str]] = []  # time, order number, order id
        self._steps: dict[str, matching.Step] = {}
        for order in self.orders.values():
            self._schedule(order)

    @contextmanager
    def request(self) -> Iterator[int]:
        """Catch up with the clock, then run the caller's change in one transaction; yields the moment in microseconds.

        A refusal keeps what happened while catching up, since that did happen; any other error undoes everything.
        """
        with self.lock:
            try:
                self._catch_up(self.clock.micros())
                with self.store.transaction():
                    yield self.caught_up
                    self.store.set_meta("caught_up", str(self.caught_up))
            except errors.ApiError:
                raise
            except BaseException:
                self._load()
                raise

    @contextmanager
    def reading(self) -> Iterator[int]:
        """Catch up with the clock, then let the caller read; yields the moment in microseconds."""
        with self.lock:
            self.catch_up()
            yield self.caught_up

    def catch_up(self) -> None:
        """Carry out everything that is due."""
        with self.lock:
            try:
                self._catch_up(self.clock.micros())
            except BaseException:
                self._load()
                raise

    @property
    def is_busy(self) -> bool:
        """Whether orders are open."""
        return bool(self.orders)

    def save_clock(self) -> None:
        """Store the clock's reading, so that a killed process resumes near it."""
        with self.lock, self.store.transaction():
            self.store.set_meta("clock", str(self.clock.micros()))
            self.store.set_meta("running", "1")

    def close(self) -> None:
        """Carry out what is due, store the exact time and close the store."""
        with self.lock:
            now = self.clock.micros()
            self._catch_up(now)
            with self.store.transaction():
                self.store.set_meta("clock", str(now))
                self.store.set_meta("running", "0")
            self.store.close()

    # --- the course of time ------------------------------------------------------------------------------------------

    def _catch_up(self, now: int) -> None:
        now = max(now, self.caught_up)
        if self._next_due() > now and self._next_boundary() > now:
            self.caught_up = now
            return
        with self.store.transaction():
            while (at := min(self._next_due(), self._next_boundary())) <= now:
                if at == self._next_boundary():
                    self._pass_boundary(at)
                else:
                    self._carry_out_next()
            self.caught_up = now
            self.store.set_meta("caught_up", str(now))

    def _next_due(self) -> int:
        while self._agenda:
            at, _, identity = self._agenda[0]
            step = self._steps.get(identity)
            if step is not None and step.at == at:
                return at
            heapq.heappop(self._agenda)  # the order is closed or has another step by now
        return _NEVER

    def _carry_out_next(self) -> None:
        at, _, identity = heapq.heappop(self._agenda)
        order, step = self.orders[identity], self._steps[identity]
        b = self.behaviour
        venue = matching.Venue(self.market, self.books, self.market.seed, self._latency(), b.partial_fill_probability)
        matching.carry_out(order, step, venue)
        self.caught_up = max(self.caught_up, at)
        self._keep(order)

    def _keep(self, order: Order) -> None:
        """Store an order and plan its next step, or forget it when it is closed."""
        self.store.put_order(order)
        if order.is_open:
            self.orders[order.id] = order
            self._schedule(order)
        else:
            self.orders.pop(order.id, None)
            self._steps.pop(order.id, None)

    def _schedule(self, order: Order) -> None:
        step = self._steps[order.id] = matching.next_step(order, self.market)
        heapq.heappush(self._agenda, (step.at, order.seq, order.id))

    def _next_boundary(self) -> int:
        """The next session close or midnight in New York, whichever comes first."""
        close = self.sessions.next_close(self.caught_up).close
        return min(close, midnight_new_york(new_york_day(self.caught_up) + 1))

    def _pass_boundary(self, at: int) -> None:
        """Record the account's value at a close; begin a new day at midnight."""
        if self.sessions.next_close(self.caught_up).close == at:
            numbers = self.numbers(at)
            self.store.set_day_equity(new_york_day(at), numbers.equity, numbers.maintenance_margin)
        else:
            for symbol in self.books.positions:
                self.books.revalue_day(symbol, self.market.last(symbol, at))
        self.caught_up = at

    def _latency(self) -> int:
        """Simulated microseconds from acceptance to fill; a clock that stands still is stepped by hand, at speed 1."""
        return round(self.behaviour.fill_latency_seconds * (self.clock.speed or 1.0) * MICROS)

    # --- account -----------------------------------------------------------------------------------------------------

    def numbers(self, at: int) -> AccountNumbers:
        """Value the account. The caller holds the lock."""
        multiplier = min(self.behaviour.multiplier, int(self.configuration.max_margin_multiplier))
        return account_numbers(self.books, self.orders.values(), self.market, at, multiplier)

    def account(self) -> dict[str, object]:
        """GET /v2/account."""
        with self.reading() as at:
            created = moment_of(int(self.store.meta("created_at") or 0))
            day, equity, maintenance = self._last_close(at)
            asof = datetime.combine(datetime.fromordinal(day).date(), time(16), NEW_YORK)
            identity = computed_id(self.market.seed, "account")
            return account_view(identity, self.numbers(at), self.configuration, (asof, equity, maintenance), created)

    def _last_close(self, at: int) -> tuple[int, Decimal, Decimal]:
        """Day, equity and maintenance margin of the last close before today."""
        found = self.store.day_equity_before(new_york_day(at))
        assert found is not None, "opening the account records the close before it"
        return found

    def configurations(self) -> dict[str, object]:
        """GET /v2/account/configurations."""
        with self.reading():
            return self.configuration.wire()

    def configure(self, body: Mapping[str, object]) -> dict[str, object]:
        """PATCH /v2/account/configurations."""
        with self.request():
            self.configuration = patched(self.configuration, body)
            self.store.set_meta("configuration", json.dumps(self.configuration._asdict()))
            return self.configuration.wire()

    # --- orders ------------------------------------------------------------------------------------------------------

    def submit(self, body: Mapping[str, object]) -> dict[str, object]:
        """POST /v2/orders. Raises ApiError; then nothing has changed."""
        request = read_order_request(body)
        with self.request() as at:
            return self.place(request, at).wire()

    def place(self, request: OrderRequest, at: int) -> Order:
        """Check and accept an order inside the caller's request."""
        if self.configuration.suspend_trade:
            raise errors.forbidden("new orders are rejected by user request")
        listing = check_asset(request, self.find(request.symbol), self.configuration)
        client_order_id = request.client_order_id
        if client_order_id is not None and self.store.order("client_order_id", client_order_id) is not None:
            raise errors.invalid("client_order_id must be unique")
        admission = admit(request, self._desk(listing, at))
        seq = self._last_seq + 1
        session = self.sessions.current(at)
        start = at if listing.is_crypto or session is not None else self.sessions.next_open(at).open
        expires_at = at + matching.GTC_LIFE
        if request.time_in_force == "day":
            expires_at = self.sessions.next_close(start).close
        identity = computed_id(self.market.seed, "order", str(seq))
        order = Order(
            seq=seq,
            id=identity,
            client_order_id=client_order_id or computed_id(self.market.seed, "client order", str(seq)),
            symbol=listing.symbol,
            asset_id=asset_id(listing.symbol),
            asset_class=listing.asset_class,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            qty=request.qty,
            notional=request.notional,
            limit_price=request.limit_price,
            position_intent=admission.intent,
            status="pending_new" if start == at else "accepted",
            submitted_at=at,
            updated_at=at,
            live_at=start + self._latency() // 2,
            fill_from=start + self._latency(),
            expires_at=expires_at,
            worst_price=admission.worst_price,
            reserve_price=admission.reserve_price,
        )
        self._last_seq = seq
        self._keep(order)
        return order

    def cancel(self, order: Order, at: int, *, at_once: bool = False) -> None:
        """Request an open order's cancellation inside the caller's request; it takes effect half a latency later."""
        if order.cancel_at is not None and not at_once:
            return
        if at_once:
            matching.carry_out(order, matching.Step(at, "cancel"), self._no_venue())
        else:
            order.status, order.updated_at, order.cancel_at = "pending_cancel", at, at + self._latency() // 2
        self._keep(order)

    def _no_venue(self) -> matching.Venue:
        return matching.Venue(self.market, self.books, self.market.seed, 0, 0.0)

    def find(self, name: str) -> Listing | None:
        """The listing of a symbol, joined pair or asset id."""
        return self.market.find(name) or self._by_asset_id.get(name)

    def open_orders_of(self, symbol: str) -> list[Order]:
        """Open orders of one symbol, oldest first."""
        return [order for order in self.orders.values() if order.symbol == symbol]

    def _desk(self, listing: Listing, at: int) -> Desk:
        tick_bid, tick_ask = self.market.quote(listing.symbol, at)
        return Desk(
            listing=listing,
            bid=tick_bid,
            ask=tick_ask,
            is_open=listing.is_crypto or self.sessions.current(at) is not None,
            last=self.market.last(listing.symbol, at),
            held=self.books.held(listing.symbol),
            orders=self.open_orders_of(listing.symbol),
            numbers=self.numbers(at),
            configuration=self.configuration,
        )


_NEVER = 2**62
