"""The machine and the broker of the protection campaign, and the tape that watches the exchange's own state."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.exchange.calendar import MICROS
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.ops.deadline_session import Call
from rebalancer.ops.run_lock import RunLock
from rebalancer.rebalance.recover import recover
from rebalancer.session.monitor import Monitor
from tests.sim.host import EXPECTED, Host, Life
from tests.sim.straight import Asked, Told
from tests.sim.template import template
from tests.sim.venue import Venue
from tests.support.faults import Crash
from tests.support.rig import rules as wide_rules

LATE_SECONDS: Final = (1, 10, 35, 60, 90, 115)  # within what the broker may take by the rules' timeouts


class Stretch(NamedTuple):
    """A time without protection; microseconds."""

    symbol: str
    start: int
    end: int
    causes: frozenset[str]

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / MICROS


class Tape:
    """Watches the exchange's own state."""

    def __init__(self, poll_seconds: float) -> None:
        self.watch_micros = int(2 * poll_seconds * MICROS)
        self.stretches: list[Stretch] = []
        self.short: list[str] = []
        self._seen: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._causes: dict[str, set[str]] = {}

    def looked(self, symbols: Sequence[str], at: int) -> None:
        """The monitor has just compared the prices of these."""
        for symbol in symbols:
            self._seen[symbol] = at

    def blame(self, cause: str) -> None:
        """Something happened to every stretch that runs now."""
        for causes in self._causes.values():
            causes.add(cause)

    def sample(self, venue: ProtectionVenue) -> None:
        """Look once."""
        now, is_open = venue.micros(), venue.session() is not None
        rests = resting(venue)
        bare = set()
        for symbol, position in venue.exchange.books.positions.items():
            if position.qty < ZERO:
                self.short.append(f"{symbol}: {position.qty} held at {venue.now():%m-%d %H:%M:%S}")
            watched = now - self._seen.get(symbol, -self.watch_micros - 1) <= self.watch_micros
            covered = sum((qty for _, qty in rests.get(symbol, ())), ZERO) >= position.qty
            if position.qty > ZERO and is_open and not covered and not watched:
                bare.add(symbol)
        for symbol in bare - self._since.keys():
            self._since[symbol], self._causes[symbol] = now, set(venue.troubles)
        self._end([s for s in self._since if s not in bare], now)

    def end(self, at: int) -> None:
        """The stretches that still run end here."""
        self._end(list(self._since), at)

    def _end(self, symbols: Sequence[str], now: int) -> None:
        for symbol in symbols:
            self.stretches.append(Stretch(symbol, self._since.pop(symbol), now, frozenset(self._causes.pop(symbol))))


def resting(venue: ProtectionVenue) -> dict[str, list[tuple[str, Decimal]]]:
    """Per symbol, the pairs that rest at the exchange: the head's id, and the shares that both sides can still sell."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for order in venue.exchange.orders.values():
        if order.order_class == "oco" and order.is_open:
            groups[order.parent or order.id].append(order)
    found: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    for head, orders in groups.items():
        left = min(o.qty - o.filled_qty for o in orders)
        found[orders[0].symbol].append((head, left if len(orders) == 2 or orders[0].filled_qty else ZERO))
    return found


class ProtectionVenue(Venue):
    """The simulated broker, sampled every second, with refusals of protective orders."""

    tape: Tape | None = None
    troubles: frozenset[str] = frozenset()
    _is_pair = False

    def advance(self, seconds: float) -> None:
        left = max(seconds, 0.0)
        while True:
            step = min(left, 1.0)
            super().advance(step)
            self._sampled()
            left -= step
            if left <= 0:
                return

    def _sampled(self) -> None:
        if self.tape is not None:
            self.exchange.catch_up()
            self.tape.sample(self)

    def carry(self, host: Any, asked: Asked, call: Call) -> Told:
        self._is_pair = b'"oco"' in asked.body
        try:
            answer = super().carry(host, asked, call)
        finally:
            self._sampled()
        if answer.status >= 400 and answer.status != 404 and self.tape is not None:
            self.tape.blame("broker")
            if asked.method == "POST" and self._is_pair:
                self.figures["pairs refused"] += 1
        return answer

    def _fault(self, is_post: bool) -> str:
        fault = super()._fault(is_post)
        if fault == "rejected" and not self._is_pair:
            fault = ""
        if fault:
            word = "other" if not is_post else "pair" if self._is_pair else "order"
            self.figures[f"{word} {fault}"] += 1
            if self.tape is not None:
                self.tape.blame("broker")
        return fault

    def _play(self, fault: str, asked: Asked, call: Call) -> Told:
        if fault == "rejected":
            call.sent = True
            body = {"code": 42210000, "message": "stop price must be less than the current price"}
            return Told(422, {"content-type": "application/json"}, json.dumps(body).encode())
        return super()._play(fault, asked, call)

    def _float(self, asked: Asked, call: Call) -> Told:
        draws = self._draws
        with patch.object(draws, "choice", lambda _: LATE_SECONDS[draws.randrange(len(LATE_SECONDS))]):
            return super()._float(asked, call)


class ProtectionHost(Host):
    """The machine: a life has a keeper of exits and a monitor."""

    def __init__(self, folder: Path, venue: ProtectionVenue) -> None:
        super().__init__("h1", folder, venue, template())
        self.monitor: Monitor | None = None

    def start(self, rules: Rules) -> Life:
        life = super().start(rules)
        w = life.world
        broker: Any = w.broker
        journal: Any = w.journal
        gate = getattr(w.order_manager, "_gate", None)
        keeper = ExitOrderManager(w.account_id, broker, journal, w.kill, w.clock, rules, gate)
        self.life = life._replace(world=w._replace(protection=keeper))
        self.monitor = Monitor(rules)
        return self.life

    def look(self, rules: Rules) -> bool:
        """One look of the monitor, in a new life after a crash. Whether it came to its end."""
        try:
            with RunLock(self.folder / "run.lock", "sim"):
                life = self.life
                if life is None:
                    life = self.start(rules)
                    recover(life.world, life.broker, rules)
                assert self.monitor is not None
                self.monitor.look(life.world)
                return True
        except Crash:
            self.end()
            self.venue.figures["crashes in a look"] += 1
        except EXPECTED as error:
            self.end()
            self.venue.figures[f"stop {type(error).__name__}"] += 1
            self.venue.say(f"look stops: {error}")
        return False


def campaign_rules() -> Rules:
    """Exits at the broker, close enough that they trade now and then; limits that stop a program are wide."""
    return wide_rules(
        protection__mode="broker",
        protection__stop_loss=0.004,
        protection__take_profit=0.004,
        position_sizing__base_position_size=0.06,
        risk_management__max_orders_per_day=5_000,
        risk_management__max_orders_per_symbol_per_day=5_000,
        gate__max_orders_per_minute=1_000,
        risk_management__max_drawdown=1.0,
        risk_management__max_daily_loss=1.0,
    )
