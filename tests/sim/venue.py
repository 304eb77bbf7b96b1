"""The broker of one simulated history: the real exchange core and application, and a wire where requests get lost.

Time is the exchange's own clock, which stands still unless somebody lets time pass. Requests that float arrive when
their time has come. Everything that reaches the wire is written down with what became of it.
"""

from __future__ import annotations

import heapq
import json
import warnings
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import requests

from rebalancer.exchange.calendar import MICROS, SessionTable, TradingSession, build_sessions, micros_of, moment_of
from rebalancer.exchange.clock import SimulatedClock
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.app import build_app
from rebalancer.exchange.http.gate import GateRules
from rebalancer.exchange.market.listing import listings
from rebalancer.exchange.market.prices import Market
from rebalancer.exchange.opening import open_account
from rebalancer.exchange.state import Behaviour
from rebalancer.exchange.store import Store
from rebalancer.exchange.streams.hub import Hub
from rebalancer.ops.deadline_session import Call
from tests.sim.baton import Relay
from tests.sim.draws import stream
from tests.sim.straight import Asked, Told, told

ORDERS = "/v2/orders"


class Post(NamedTuple):
    """One order on the wire. `at` is when it left, simulated microseconds; `fate` what became of it."""

    at: int
    host: str
    client_order_id: str
    body: str
    intended: bool
    killed: bool
    fate: str


class Wire(NamedTuple):
    """How often requests go wrong, by kind, each a probability; `posts` are orders, `others` everything else."""

    posts: Mapping[str, float] = MappingProxyType({})
    others: Mapping[str, float] = MappingProxyType({})
    latency_seconds: float = 0.05


class Late(NamedTuple):
    """A request that is still on its way."""

    due: int
    number: int
    asked: Asked


@cache
def sessions() -> SessionTable:
    """The trading calendar, which takes seconds to make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SessionTable(build_sessions())


class Venue:
    """One broker with one account."""

    def __init__(
        self, seed: int, start: datetime, symbols: tuple[str, ...], cash: Decimal, behaviour: Behaviour, wire: Wire
    ) -> None:
        self.seed, self.wire = seed, wire
        self.figures: Counter[str] = Counter()
        self.posts: list[Post] = []
        self.lines: list[str] = []
        self.relay = Relay(stream(seed, "turns"))
        self.outage_until = 0
        self._draws = stream(seed, "wire")
        self._late: list[Late] = []
        table = sessions()
        self.clock = SimulatedClock(start, 0.0, lambda: 0.0)
        market = Market(seed, table, {s: row for s, row in listings().items() if s in symbols})
        store = Store(None)
        with store.transaction():
            store.create()
            store.set_meta("seed", str(seed))
            open_account(Exchange(store, self.clock, market, behaviour), cash, "none", micros_of(start))
        self.exchange = Exchange(store, self.clock, market, behaviour)
        self.exchange.catch_up()
        rules = GateRules(rate_limit_per_minute=0)
        self.app = build_app(self.exchange, rules, Hub(rules.knows))

    # --- time

    def micros(self) -> int:
        return self.clock.micros()

    def now(self) -> datetime:
        return moment_of(self.micros())

    def monotonic(self) -> float:
        return self.micros() / MICROS

    def session(self) -> TradingSession | None:
        return sessions().current(self.micros())

    def advance(self, seconds: float) -> None:
        """Let time pass; what floats arrives meanwhile."""
        target = self.micros() + max(round(seconds * MICROS), 0)
        while self._late and self._late[0].due <= target:
            item = heapq.heappop(self._late)
            self.clock.advance(max(item.due - self.micros(), 0) / MICROS)
            answer = told(self.app, item.asked)
            self.figures["late arrival" if answer.status == 200 else "late arrival refused"] += 1
            self.say(f"a request that floated arrives: {answer.status}")
        self.clock.advance(max(target - self.micros(), 0) / MICROS)

    def say(self, text: str) -> None:
        """One line of the history, for people."""
        self.lines.append(f"{self.now():%m-%d %H:%M:%S.%f} {text}")

    # --- the wire

    def carry(self, host: Any, asked: Asked, call: Call) -> Told:
        """Carry one request there and its answer back, or lose either."""
        is_post = asked.method == "POST" and asked.path == ORDERS
        if is_post:
            call.ask_leave()
        known = self.probe_of(host, asked) if is_post else ("", False, False)
        left = self.micros()
        host.boundary(f"{asked.method} {asked.path}")
        self.advance(self._draws.random() * 2 * self.wire.latency_seconds)
        fault = self._fault(is_post)
        fate = fault or "booked"
        try:
            answer = self._play(fault, asked, call)
            if is_post and not fault:
                fate = "booked" if answer.status == 200 else f"refused {answer.status}"
        finally:
            if is_post:
                self.posts.append(Post(left, host.name, known[0], asked.body.decode(), known[1], known[2], fate))
                self.say(f"{host.name} POST {known[0]} -> {fate}")
            if fault:
                self.figures[f"wire {'post' if is_post else 'other'} {fault}"] += 1
        host.boundary(f"{asked.method} {asked.path} answered")
        return answer

    def probe_of(self, host: Any, asked: Asked) -> tuple[str, bool, bool]:
        """The order's id, whether its intent is committed, and whether the kill switch is."""
        name = json.loads(asked.body)["client_order_id"]
        return (name, *host.stands(name))

    def _fault(self, is_post: bool) -> str:
        if self.micros() < self.outage_until:
            return "outage"
        for kind, chance in (self.wire.posts if is_post else self.wire.others).items():
            if self._draws.random() < chance:
                return kind
        return ""

    def _play(self, fault: str, asked: Asked, call: Call) -> Told:
        match fault:
            case "":
                call.sent = True
                return told(self.app, asked)
            case "outage" | "not_sent":
                raise requests.ConnectionError("[Errno 111] Connection refused")
            case "lost":
                return self._silence(call)
            case "booked_lost":
                call.sent = True
                told(self.app, asked)
                return self._silence(call)
            case "late":
                return self._float(asked, call)
            case "twice":
                call.sent = True
                told(self.app, asked)
                return told(self.app, asked)
            case "429":
                call.sent = True
                return _json(429, {"message": "too many requests."}, {"retry-after": "3"})
            case "5xx":
                call.sent = True
                if self._draws.random() < 0.5:
                    told(self.app, asked)
                return Told(self._draws.choice((500, 502, 503, 504)), {"content-type": "text/html"}, b"<h1>Bad</h1>")
            case "malformed":
                call.sent = True
                answer = told(self.app, asked)
                return answer._replace(status=200, body=self._draws.choice((b"", b"<html>", answer.body[:-1] + b",}")))
            case "truncated":
                call.sent = True
                told(self.app, asked)
                raise requests.exceptions.ChunkedEncodingError("ended in the middle")
        raise AssertionError(fault)

    def _silence(self, call: Call) -> Told:
        call.sent = True
        self.advance(min(call.read_seconds, max(call.deadline - self.monotonic(), 0.0)))
        raise requests.ReadTimeout("no answer")

    def _float(self, asked: Asked, call: Call) -> Told:
        self.figures["floated"] += 1
        seconds = self._draws.choice((1, 10, 35, 60, 90, 115, 115, 600))
        heapq.heappush(self._late, Late(self.micros() + seconds * MICROS, self.figures["floated"], asked))
        return self._silence(call)

    # --- what the broker knows, asked past all faults

    def ask(self, path: str, query: str = "") -> Any:
        """One answer of the exchange as JSON."""
        answer = told(self.app, Asked("GET", path, query, b""))
        assert answer.status == 200, (path, answer)
        return json.loads(answer.body)

    def count_faults(self) -> None:
        """Add what the exchange's own faults have done so far."""
        for state in self.exchange.faults.state():
            self.figures[f"venue {state['kind']}"] += int(str(state["fired"]))

    def quiet(self) -> None:
        """Nothing goes wrong from here on."""
        self.wire = Wire(latency_seconds=self.wire.latency_seconds)
        self.outage_until = 0
        self.count_faults()
        self.exchange.faults.clear()
        self.exchange.behaviour = self.exchange.behaviour._replace(
            fill_latency_seconds=0.04, partial_fill_probability=0.0
        )

    @property
    def is_floating(self) -> bool:
        """Whether a request is still on its way."""
        return bool(self._late)


def _json(status: int, body: dict[str, Any], headers: dict[str, str]) -> Told:
    return Told(status, {"content-type": "application/json", **headers}, json.dumps(body).encode())
