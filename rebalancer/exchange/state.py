"""`State`: one account at one simulated broker as it stands, with what every rule may ask of it and change in it.

It knows nothing of time passing: whoever drives time (`core.Exchange`) says how to catch up with the clock. The rules
stand between the two and take the state: acceptance, groups, borrowing, charges, corporate actions, halts, locates and
margin calls.
"""

from __future__ import annotations

import heapq
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rebalancer.exchange import corporate_actions, errors, matching
from rebalancer.exchange.books import Books
from rebalancer.exchange.borrow_plan import load_borrowing
from rebalancer.exchange.calendar import MICROS, SessionTable
from rebalancer.exchange.checks import OrderContext
from rebalancer.exchange.clock import SimulatedClock
from rebalancer.exchange.configuration import Configuration, configuration_from
from rebalancer.exchange.faults.engine import Faults
from rebalancer.exchange.faults.past import PastPositions
from rebalancer.exchange.located import unused
from rebalancer.exchange.margin import AccountNumbers, account_numbers, load_watch
from rebalancer.exchange.market.halts import HaltPlan
from rebalancer.exchange.market.listing import Listing
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.order import Order
from rebalancer.exchange.reservations import Reservations
from rebalancer.exchange.store import Store
from rebalancer.exchange.streams.events import EventLog
from rebalancer.exchange.views import asset_id


class Behaviour(NamedTuple):
    """How the exchange behaves; free to differ from one start to the next."""

    fill_latency_seconds: float = 0.04  # wall time from acceptance to fill
    partial_fill_probability: float = 0.1
    multiplier: int = 2
    charges: bool = False  # regulatory fees, margin interest and borrow fees, which a paper account does not pay
    legacy_day_trading: bool = False  # the day-trading fields that responses carried until 2026-07-06


class State(ABC):
    """One account. Changes happen inside `request`, readings inside `reading`; both first catch up with the clock."""

    def __init__(self, store: Store, clock: SimulatedClock, market: Market, behaviour: Behaviour) -> None:
        self.clock, self.market, self.behaviour = clock, market, behaviour
        self.sessions: SessionTable = market.sessions
        self.store = store
        self.lock = threading.RLock()
        self.faults = Faults()
        self.events = EventLog(store, market.seed)
        self._changing = False
        self.revision = 0  # grows with every request that may change anything, and with all that time carries out
        self._by_asset_id = {asset_id(symbol): listing for symbol, listing in market.listings.items()}
        self._load()

    def _load(self) -> None:
        """Take the state from the store: at the start, and after a rolled-back request."""
        self.books = Books(self.store, self.market.seed)
        self.orders = {order.id: order for order in self.store.open_orders()}
        self._open_of: dict[str, dict[str, Order]] = {}  # the same by symbol
        self.reserved = Reservations()
        for order in self.orders.values():
            self._open_of.setdefault(order.symbol, {})[order.id] = order
            self.reserved.note(order)
        self.events.load(self.orders.values())
        self.past = PastPositions(self.books.positions.values())
        self.configuration: Configuration = configuration_from(self.store.meta("configuration"))
        self.caught_up = int(self.store.meta("caught_up") or 0)
        self._last_seq = self.store.last_order_seq()
        self.market.halts = HaltPlan(self.store.halts())
        self.borrowing, self.watch = load_borrowing(self.store), load_watch(self.store)
        self.load_schedule()
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
            self._refuse_nested()
            self._changing = True
            self.revision += 1
            try:
                self._catch_up(self.clock.micros())
                with self.store.transaction():
                    yield self.caught_up
                    self.store.set_meta("caught_up", str(self.caught_up))
            except errors.ApiError:
                raise
            except BaseException:  # an interrupt too leaves memory ahead of the rolled-back file
                self._load()
                raise
            finally:
                self._changing = False

    def _refuse_nested(self) -> None:
        """Time may not move, and no second transaction begin, in the middle of a request."""
        if self._changing:
            raise RuntimeError("reading() or request() inside request(): use the moment that the outer one yielded")

    @contextmanager
    def reading(self) -> Iterator[int]:
        """Catch up with the clock, then let the caller read; yields the moment in microseconds."""
        with self.lock:
            self.catch_up()
            yield self.caught_up

    def catch_up(self) -> None:
        """Carry out everything that is due."""
        with self.lock:
            self._refuse_nested()
            try:
                self._catch_up(self.clock.micros())
            except BaseException:  # as in request
                self._load()
                raise

    @abstractmethod
    def _catch_up(self, now: int) -> None:
        """Carry out everything that is due until `now`, microseconds. The caller holds the lock."""

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
            self.store.close(is_whole=True)

    # --- orders ------------------------------------------------------------------------------------------------------

    def keep(self, order: Order) -> None:
        """Store a change of an order, inside the caller's request."""
        self._keep(order)

    def _keep(self, order: Order) -> None:
        """Store an order and plan its next step, or forget it when it is closed."""
        self.store.put_order(order)
        self.reserved.note(order)
        if self.events.note(order, self.books.held(order.symbol)):
            self.past.note(order.updated_at, order.symbol, self.books.positions.get(order.symbol))
        if order.is_open:
            self.orders[order.id] = order
            self._open_of.setdefault(order.symbol, {})[order.id] = order
            self._schedule(order)
        else:
            self.orders.pop(order.id, None)
            self._open_of.get(order.symbol, {}).pop(order.id, None)
            self._steps.pop(order.id, None)

    def _schedule(self, order: Order) -> None:
        step = self._steps[order.id] = matching.next_step(order, self.market)
        heapq.heappush(self._agenda, (step.at, order.seq, order.id))

    def next_seq(self) -> int:
        """The number of the next order."""
        self._last_seq += 1
        return self._last_seq

    def shown(self, order: Order, *, nested: bool = False) -> dict[str, object]:
        """Alpaca's Order object of this moment; nested with its legs inside, replaced ones left out."""
        live = self.orders.get(order.id, order)
        self.trail(live, self.caught_up)
        if not nested or not live.order_class or live.parent is not None:
            return live.wire()
        legs = [self.orders.get(leg.id, leg) for leg in self.store.legs(live.id)]
        return live.wire([leg for leg in legs if leg.status != "replaced"])

    def trail(self, order: Order, at: int) -> None:
        """Move a trailing stop's marks; they are a function of the time, so that no step is needed for it."""
        if order.is_open and order.status not in ("accepted", "pending_new"):
            matching.trail(order, self.market, at)

    def venue(self, partial_probability: float = 0.0, market: Market | None = None) -> matching.Venue:
        """What matching needs, now; with another market when prices are to differ."""
        return matching.Venue(market or self.market, self.books, self.market.seed, self.latency(), partial_probability)

    def find(self, name: str) -> Listing | None:
        """The listing of a symbol, joined pair or asset id."""
        found = self.market.find(name) or self._by_asset_id.get(name)
        return None if found is None else self.borrowing.applied(found, self.caught_up)

    def listing(self, symbol: str) -> Listing:
        """The listing of a known symbol as it stands now."""
        return self.borrowing.applied(self.market.listings[symbol], self.caught_up)

    def open_orders_of(self, symbol: str) -> list[Order]:
        """Open orders of one symbol, oldest first."""
        return list(self._open_of.get(symbol, {}).values())

    def context(self, listing: Listing, at: int, without: str = "") -> OrderContext:
        """What the checks look at, as if the orders of the pool `without` were not there."""
        tick_bid, tick_ask = self.market.quote(listing.symbol, at)
        return OrderContext(
            listing=listing,
            bid=tick_bid,
            ask=tick_ask,
            is_open=listing.is_crypto or self.sessions.current(at) is not None,
            last=self.market.last(listing.symbol, at),
            held=self.books.held(listing.symbol),
            orders=[order for order in self.open_orders_of(listing.symbol) if _apart(order, without)],
            numbers=self.numbers(at, without),
            configuration=self.configuration,
            is_overnight=self.sessions.is_overnight(at),
            located=unused(self.store, listing.symbol, at),
        )

    # --- the account -------------------------------------------------------------------------------------------------

    def numbers(self, at: int, without: str = "") -> AccountNumbers:
        """Value the account, as if the orders of the pool `without` were not there. The caller holds the lock."""
        multiplier = min(self.behaviour.multiplier, int(self.configuration.max_margin_multiplier))
        return account_numbers(self.books, self.reserved.pending(without), self.market, at, multiplier)

    def load_schedule(self) -> None:
        """Take the corporate actions from the store, and what they do to prices."""
        self.announced = corporate_actions.actions(self.store)
        self.market.adjust(corporate_actions.adjustments(self.announced))
        self._effective_at = corporate_actions.next_effect(self.announced, self.sessions)

    def latency(self) -> int:
        """Simulated microseconds from acceptance to fill; a clock that stands still is stepped by hand, at speed 1."""
        return round(self.behaviour.fill_latency_seconds * (self.clock.speed or 1.0) * MICROS)


def _apart(order: Order, pool: str) -> bool:
    return not pool or pool not in (order.pool, order.id)
