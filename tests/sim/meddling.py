"""What people, markets and machines do to a history; each method is one action, drawn by its rate."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import partial

from rebalancer.core.rules import Rules
from rebalancer.exchange import orders as exchange_orders
from rebalancer.exchange.admin.actions import deposit
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.corporate import announce_dividend, announce_split
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.market.halts import Halt
from tests.sim.host import Host
from tests.sim.scenario import Scenario, rules_of
from tests.sim.venue import Venue, sessions


class Meddling:
    """The actions of a history, which has these things."""

    scenario: Scenario
    venue: Venue
    host: Host
    figures: Counter[str]
    draws: random.Random
    rules: Rules
    kill_left: int

    def _nothing(self) -> None: ...

    def _at(self, act: Callable[[], None]) -> None:
        """Do something at one of the coming boundaries."""
        number = self.host.boundaries + self.draws.choice((self.draws.randint(1, 30), self.draws.randint(1, 120)))
        self.host.at_boundary[number] = act

    def _crash(self) -> None:
        self._at(self.host.crash)
        if self.draws.random() < 0.2:
            self._at(self.host.crash)

    def _kill(self) -> None:
        self.kill_left = self.draws.randint(1, 4)
        self._at(self.host.set_kill)

    def _deposit(self) -> None:
        self._move_money(Decimal(self.draws.choice((100, 5_000, 50_000))))

    def _withdraw(self) -> None:
        worth = Decimal(self.venue.ask("/v2/account")["equity"])
        most = min(self.scenario.cash / 10, worth / 2)  # nobody can take more than there is; none left settles nothing
        amount = min(Decimal(self.draws.choice((100, 5_000, 20_000))), most).quantize(Decimal("0.01"))
        if amount > 0:
            self._move_money(-amount)

    def _move_money(self, amount: Decimal) -> None:
        with suppress(ApiError):
            deposit(self.venue.exchange, {"amount": str(amount)})
            self.venue.say(f"a transfer of {amount}")

    def _human_trade(self) -> None:
        self._at_or_now(partial(self._trade, "market"))

    def _human_order(self) -> None:
        self._trade("limit")

    def _trade(self, kind: str) -> None:
        symbol = self.draws.choice(self.scenario.symbols)
        body = {"symbol": symbol, "qty": str(self.draws.randint(1, 12)), "side": self.draws.choice(("buy", "sell")),
                "type": kind, "time_in_force": "day"}  # fmt: skip
        if kind == "limit":
            price = self.venue.exchange.market.last(symbol, self.venue.micros())
            body["limit_price"] = str((price * Decimal("0.9")).quantize(Decimal("0.01")))
            body["side"] = "buy"
        with suppress(ApiError):
            self.venue.exchange.submit(body)
            self.figures["human orders"] += 1
            self.venue.say(f"a person: {body['side']} {body['qty']} {symbol}")

    def _human_cancel(self) -> None:
        def cancel() -> None:
            for order in list(self.venue.exchange.orders.values())[:1]:
                with suppress(ApiError):
                    exchange_orders.cancel_order(self.venue.exchange, order.id)
                    self.figures["human cancels"] += 1
                    self.venue.say(f"a person cancels {order.client_order_id}")

        self._at(cancel)

    def _at_or_now(self, act: Callable[[], None]) -> None:
        if self.draws.random() < 0.5:
            self._at(act)
        else:
            act()

    def _split(self) -> None:
        new, old = self.draws.choice(((10, 1), (2, 1), (3, 2), (1, 5)))
        with suppress(ApiError, ValueError):
            announce_split(self.venue.exchange, self.draws.choice(self.scenario.symbols), self._tomorrow(), new, old)
            self.figures["splits"] += 1

    def _dividend(self) -> None:
        day = self._tomorrow()
        with suppress(ApiError, ValueError):
            announce_dividend(self.venue.exchange, self.draws.choice(self.scenario.symbols), day, day, Decimal("0.25"))
            self.figures["dividends"] += 1

    def _tomorrow(self) -> date:
        return date.fromordinal(sessions().next_open(self.venue.micros()).day)

    def _halt(self) -> None:
        now = self.venue.micros()
        minutes = self.draws.choice((1, 5, 60, 600))
        names = self.scenario.symbols if self.draws.random() < 0.1 else (self.draws.choice(self.scenario.symbols),)

        def stop() -> None:
            self.figures["halts"] += 1
            for name in names:
                with suppress(ValueError):
                    start = self.venue.micros()
                    self.venue.exchange.schedule_halt(Halt(name, start, start + minutes * 60 * MICROS))

        del now
        self._at_or_now(stop)

    def _config(self) -> None:
        self.rules = rules_of(self.draws, self.draws.choice(("wide", "tight")))

    def _skew(self) -> None:
        self.host.skew_seconds = self.draws.choice((-3600.0, -5.0, 0.0, 40.0, 7200.0))

    def _sleep(self) -> None:
        seconds = self.draws.choice((600.0, 6 * 3600.0, 20 * 3600.0))
        self._at(lambda: self.venue.advance(seconds))

    def _outage(self) -> None:
        seconds = self.draws.choice((60, 900, 3600))

        def out() -> None:
            self.venue.outage_until = self.venue.micros() + seconds * MICROS

        self._at_or_now(out)

    def _disk_full(self) -> None:
        self._at(lambda: setattr(self.host, "disk", "full"))

    def _disk_locked(self) -> None:
        self._at(lambda: setattr(self.host, "disk", "locked"))

    def _restart(self) -> None:
        self.host.end()
        self.venue.advance(self.draws.choice((0.0, 2.0, 3600.0)))
