"""`Exchange`: what every request means, on plain dicts, without sockets.

Every public method first lets the market catch up with the clock, then answers from the state of that moment, all under
one lock and in one SQLite transaction: either the whole request happened or none of it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping

from rebalancer.exchange import borrowing, charges, corporate, halting, margin_watch, matching
from rebalancer.exchange.acceptance import accept
from rebalancer.exchange.account import account_of
from rebalancer.exchange.calendar import (
    midnight_new_york,
    new_york_day,
)
from rebalancer.exchange.configuration import patched
from rebalancer.exchange.faults.venue import is_rejected, partial_probability
from rebalancer.exchange.groups import cancel, follow
from rebalancer.exchange.order import Order
from rebalancer.exchange.order_request import OrderRequest, read_order_request
from rebalancer.exchange.state import State


class Exchange(State):
    """One account at one simulated broker. Thread-safe."""

    # --- the course of time ------------------------------------------------------------------------------------------

    def _catch_up(self, now: int) -> None:
        now = max(now, self.caught_up)
        if self._next_due() > now and self._next_boundary() > now:
            self.caught_up = now
            return
        self.revision += 1
        with self.store.transaction():
            while (at := min(self._next_due(), self._next_boundary())) <= now:
                if at == self._effective_at:
                    self.caught_up = at
                    corporate.take_effect(self, at)
                elif at == self._next_boundary():
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
        if not is_rejected(self, order, step):
            matching.carry_out(order, step, self.venue(partial_probability(self, order, step)))
        self.caught_up = max(self.caught_up, at)
        self._keep(order)
        follow(self, order, at)

    def _next_boundary(self) -> int:
        """The next session close or midnight in New York, whichever comes first."""
        close = self.sessions.next_close(self.caught_up).close
        return min(close, midnight_new_york(new_york_day(self.caught_up) + 1), self._effective_at)

    def _pass_boundary(self, at: int) -> None:
        """Record the account's value at a close; begin a new day at midnight."""
        if self.sessions.next_close(self.caught_up).close == at:
            numbers = self.numbers(at)
            self.store.set_day_equity(new_york_day(at), numbers.equity, numbers.maintenance_margin)
            margin_watch.look(self, at, numbers)
        else:
            for symbol in self.books.positions:
                self.books.revalue_day(symbol, self.market.last(symbol, at))
            self.caught_up = at
            corporate.pay(self, at)
            borrowing.cancel_shorts(self, at)
            if self.behaviour.charges:
                charges.charge_overnight(self, at)
        self.caught_up = at

    # --- account -----------------------------------------------------------------------------------------------------

    def account(self) -> dict[str, object]:
        """GET /v2/account."""
        with self.reading() as at:
            return account_of(self, at)

    def configurations(self) -> dict[str, object]:
        """GET /v2/account/configurations."""
        with self.reading():
            return self.configuration.wire(legacy=self.behaviour.legacy_day_trading)

    def configure(self, body: Mapping[str, object]) -> dict[str, object]:
        """PATCH /v2/account/configurations."""
        with self.request():
            self.configuration = patched(self.configuration, body)
            self.store.set_meta("configuration", json.dumps(self.configuration._asdict()))
            return self.configuration.wire(legacy=self.behaviour.legacy_day_trading)

    schedule_halt, end_halts = halting.schedule_halt, halting.end_halts

    def cancel(self, order: Order, at: int, *, at_once: bool = False) -> None:
        """Request an open order's cancellation inside the caller's request; it takes effect half a latency later."""
        cancel(self, order, at, at_once=at_once)

    # --- orders ------------------------------------------------------------------------------------------------------

    def submit(self, body: Mapping[str, object]) -> dict[str, object]:
        """POST /v2/orders. Raises ApiError; then nothing has changed."""
        request = read_order_request(body)
        with self.request() as at:
            return self.shown(self.place(request, at), nested=True)

    def place(self, request: OrderRequest, at: int) -> Order:
        """Check and accept an order inside the caller's request."""
        return accept(self, request, at)


_NEVER = 2**62
