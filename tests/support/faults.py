"""What goes wrong between the program and its ports: crashes before any call, and a broker that answers by script."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.protocol import Allowed, SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.errors import BrokerUnavailable

READS = ("account", "positions", "orders", "quotes", "clock", "instruments", "daily_closes", "find_order", "activities")
WRITES = (
    "begin_cycle",
    "record_plan",
    "record_intents",
    "record_order",
    "record_orders",
    "record_event",
    "close_cycle",
)


class Crash(BaseException):
    """The process ends here: nothing after it runs."""


class Trip:
    """Counts every call through the ports of one process, and ends it before the N-th."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.calls: list[str] = []
        self.down = False

    def hit(self, name: str) -> None:
        if self.down:
            raise Crash(f"dead before {name}")  # other threads of a dead process do nothing either
        self.calls.append(name)
        if len(self.calls) == self.at:
            self.down = True
            raise Crash(f"before call {self.at}: {name}")


class Tripped:
    """Passes everything on and reports the named calls to a trip."""

    def __init__(self, inner: Any, trip: Trip, names: Sequence[str], prefix: str) -> None:
        self._inner, self._trip, self._names, self._prefix = inner, trip, frozenset(names), prefix

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._trip.hit(f"{self._prefix}.{name}")
            return found(*args, **kwargs)

        return counted


Fault = Callable[..., Any]


class FaultyBroker:
    """A broker between the program and the real one, where things go wrong by script.

    `script[method]` is called instead of the method, with the real method first and then its arguments. `fail_at` makes
    the N-th call of all fail as a lost answer does. Everything that reaches the real `submit` is kept in `posts`, with
    whether its intent stood in the journal's file at that moment.
    """

    def __init__(self, real: AlpacaBroker, journal_file: Path, posts: list[tuple[Order, bool]]) -> None:
        self.real, self.posts = real, posts
        self.script: dict[str, Fault] = {}
        self.fail_at: int | None = None
        self.calls: list[str] = []
        self._journal_file = journal_file
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        if name == "venue":
            return self.real.venue
        if name not in (*READS, "order", "cancel", "submit", "submit_pair", "now", "calendar"):
            raise AttributeError(name)
        real = self._post if name == "submit" else getattr(self.real, name)

        def call(*args: Any, **named: Any) -> Any:
            if name == "now":
                return real()
            if named.get("allowed") is not None:
                named["allowed"] = cache(named["allowed"])  # a line that delivers twice asks nobody for the second
            real_one = partial(real, **named)
            with self._lock:
                self.calls.append(name)
                number = len(self.calls)
            if number == self.fail_at:
                if name == "submit":
                    return lost_after(real_one, *args)
                raise BrokerUnavailable(f"call {number}, {name}: scripted")
            fault = self.script.get(name)
            return real_one(*args) if fault is None else fault(real_one, *args)

        return call

    def _post(self, order: Order, *, allowed: Allowed = None) -> SendResult:
        def leave() -> bool:
            if allowed is not None and not allowed():
                return False
            with closing(sqlite3.connect(f"file:{self._journal_file}?mode=ro", uri=True)) as db:
                query = "SELECT count(*) FROM events WHERE kind = 'order_intended' AND key = ?"
                written = db.execute(query, (order.client_order_id,)).fetchone()[0] == 1
            with self._lock:
                self.posts.append((order, written))
            return True

        return self.real.submit(order, allowed=leave)


def lost_after(real: Callable[[Order], SendResult], order: Order) -> SendResult:
    """The broker booked it, and its answer was lost."""
    real(order)
    return SendResult("unknown", None, "timeout", "no answer within 20 s")


def lost_before(real: Callable[[Order], SendResult], order: Order) -> SendResult:
    """The request was lost on its way."""
    return SendResult("unknown", None, "timeout", "no answer within 20 s")


def unreadable(*_: Any) -> Any:
    """No answer to a read."""
    raise BrokerUnavailable("no answer: scripted")
