"""What a history trades on: the opinions of its source, and signals that come by `execute` between its slots.

The web process is reduced to what it does to the disk: it inserts a signal into the real inbox and asks for a run, and
may die in between. The session takes the request with its own `RunRequests`, and runs one extra cycle restricted to the
symbol, with the same faults on the wire and deaths at the same boundaries as any other cycle.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.session.run_requests import RunRequests, restricted
from rebalancer.session.signal_receipts import Moments, update_receipts
from rebalancer.signals.receipts import inbox, store
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.testing.evidence import Cycle, Evidence
from tests.sim.draws import stream
from tests.sim.host import Host, HostClock
from tests.sim.scenario import Scenario, signals_of
from tests.sim.venue import Venue

MakeSignals = Callable[[datetime], tuple[Signal, ...]]
SLOT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ")
REPEAT_WITHIN: Final = timedelta(seconds=60)
ACTIONS: Final = ("BUY", "BUY", "SELL", "FLAT", "HOLD")


class Executing:
    """The signals of a history, which has these things."""

    scenario: Scenario
    venue: Venue
    host: Host
    figures: Counter[str]
    draws: random.Random
    rules: Rules
    violations: list[str]

    def begin_executing(self) -> None:
        self.number = 0
        self.last_signals: MakeSignals | None = None
        self.asks = stream(self.scenario.seed, "executes")
        self.inbox_file = self.host.folder / inbox.NAME
        self.inbox = SignalInbox.open(self.inbox_file) if self.scenario.executes else None
        self.session: RunRequests | None = None
        self.receipts: dict[str, datetime] = {}  # by id, when the signal came first
        self.extra_cycles: dict[str, set[str]] = {}  # the symbols of each

    def end_executing(self) -> None:
        if self.inbox is not None:
            self.inbox.close()

    def signals(self) -> MakeSignals:
        """The signals of this cycle; sometimes the same as before."""
        if self.last_signals is not None and self.draws.random() < 0.3:
            return self.last_signals
        self.number += 1
        number, odd = self.number, "odd_signals" in self.scenario.actions and self.draws.random() < 0.3
        began = self.venue.now()

        def make(now: datetime) -> tuple[Signal, ...]:
            draws = stream(self.scenario.seed, f"signals {number}")
            found = signals_of(draws, self.scenario.symbols, began, number, odd=odd)
            return (*found, *self.inserted_signals(now))

        self.last_signals = make
        return make

    def inserted_signals(self, now: datetime) -> tuple[Signal, ...]:
        """Those of the inbox, as a cycle reads them."""
        if self.inbox is None:
            return ()
        age = timedelta(minutes=self.rules.signals.max_age_minutes)
        return self.inbox.current(now, HostClock(self.host).wall(), age)

    # --- between the slots

    def execute_some(self) -> None:
        """Requests, each followed by the session's looking for it."""
        while self.inbox is not None and self.asks.random() < self.scenario.executes:
            self.venue.advance(self.asks.choice((0.5, 5.0, 40.0, 70.0)))
            if self.session is None or self.host.life is None or self.asks.random() < 0.1:
                self.session = self.new_session()
            self.request(self.inbox)
            if self.asks.random() < 0.1:
                self.session = self.new_session()  # it ended and began again: what was asked before is forgotten
                self.figures["requests before a start"] += 1
            if self.asks.random() < 0.1:
                self.venue.advance(45.0)  # busy until the request is too old
                self.figures["requests too late"] += 1
            self.serve(self.session)

    def new_session(self) -> RunRequests:
        return RunRequests(self.inbox_file, self.extra_cycle, HostClock(self.host))

    def request(self, inserted: SignalInbox) -> None:
        """One signal, delivered once or several times; the process that takes it may die before it asks for a run."""
        symbol = self.asks.choice(self.scenario.symbols)
        row: dict[str, object] = {"symbol": symbol, "action": self.asks.choice(ACTIONS), "confidence": "90"}
        named = self.asks.choice(("", "", "id", "key"))
        self.number += 1
        if named == "id":
            row["id"] = f"exec-{self.number}"
        key = f"key {self.number}" if named == "key" else None
        times = self.asks.choice((1, 1, 1, 2, 3))
        told: dict[str, datetime] = {}
        for number in range(times):
            self.venue.advance(0.5 * number)
            wall = HostClock(self.host).wall()
            (receipt,) = inserted.receive([row], source="api", at=wall, key=key, repeat_within=REPEAT_WITHIN)
            told.setdefault(receipt.id, wall)
            if self.asks.random() < 0.1:
                self.figures["requests never made"] += 1
                continue
            inserted.ask_for_run(symbol, receipt.signal_id, wall)
        self.figures["requests"] += 1
        self.figures["requests sent again"] += times - 1
        first, *others = told
        # What says the same as an earlier request is that one's signal, until that one is too old.
        if others and (len(others) > 1 or named or told[others[0]] - self.receipts.get(first, wall) <= REPEAT_WITHIN):
            self.violations.append(f"E1: one signal has several receipts: {sorted(told)}")
        self.receipts = told | self.receipts

    def serve(self, session: RunRequests) -> None:
        """The session looks, perhaps while runs by hand want the same."""
        if self.scenario.rivals == 1 or self.asks.random() < 0.5:
            session.serve()
            return
        rival = self.rival(1)
        self.figures["requests beside a rival"] += 1
        by_hand = partial(self.one, rival, None, self.signals(), True)
        self.venue.relay.run([("h1", session.serve), (rival.name, by_hand)])
        rival.close()

    def extra_cycle(self, symbols: Sequence[str]) -> str:
        """The cycle that the session makes for a request."""
        found = self.one(self.host, None, self.signals(), self.asks.random() < 0.2, restricted(self.rules, symbols))
        self.figures["extra cycles"] += 1
        if not isinstance(found, CycleResult):
            self.figures["extra cycles cut short"] += 1
            return found
        self.extra_cycles[found.snapshot.cycle_id] = set(symbols)
        self.figures["extra cycles with orders"] += bool(found.plan.orders)
        return str(found.outcome)

    def rival(self, number: int) -> Host:
        raise NotImplementedError

    def one(
        self, host: Host, slot: str | None, signals: MakeSignals, fresh: bool, rules: Rules | None = None
    ) -> CycleResult | str:
        raise NotImplementedError

    # --- the laws

    def broken_requests(self, seen: Evidence) -> list[str]:
        """An extra cycle takes no slot and trades its symbols alone, unless a loss limit closes all positions; every
        signal has one receipt, and an outcome."""
        broken = []
        narrow: dict[str, set[str]] = {}
        for cycle in seen.cycles.values():
            only = set((cycle.rules or {}).get("selection", {}).get("only", ()))
            if only:
                narrow[cycle.id] = only
                if SLOT.fullmatch(cycle.id):
                    broken.append(f"E2: an extra cycle took the slot {cycle.id}")
        for name, symbols in self.extra_cycles.items():
            if seen.cycles[name].rules is not None and narrow.get(name) != symbols:
                broken.append(f"E3: the extra cycle {name} was for {symbols}, not {narrow.get(name)}")
        for intent in seen.intents.values():
            cycle = seen.cycles.get(intent.cycle)
            if cycle is not None and _closes_all(cycle) and intent.phase == "reduce":
                continue
            if intent.cycle in narrow and intent.symbol not in narrow[intent.cycle]:
                broken.append(f"E3: the extra cycle {intent.cycle} of {narrow[intent.cycle]} traded {intent.symbol}")
        self.figures["orders of extra cycles"] += sum(intent.cycle in narrow for intent in seen.intents.values())
        return broken + (self._broken_receipts() if self.inbox is not None else [])

    def _broken_receipts(self) -> list[str]:
        later = self.venue.now() + timedelta(days=1)
        with Journal.open(self.host.journal_file, holder="receipts") as journal:
            done = update_receipts(self.host.folder, journal, self.rules, Moments(later, later), 5.0)
        with closing(sqlite3.connect(self.host.folder / store.NAME)) as database:
            rows: list[Any] = database.execute("SELECT id, outcome FROM receipts WHERE source = 'api'").fetchall()
        broken = [] if done.is_complete else ["E4: the receipts were not read to their end"]
        if sorted(name for name, _ in rows) != sorted(self.receipts):
            broken.append(f"E4: {len(self.receipts)} signals and {len(rows)} receipts")
        self.figures["signals by execute"] += len(rows)
        for _, outcome in rows:
            self.figures[f"receipt {outcome}"] += 1
        return broken + [f"E5: {name} has no outcome" for name, outcome in rows if outcome == "PENDING"]


def _closes_all(cycle: Cycle) -> bool:
    """Whether a loss limit made this cycle close every position, whatever it was asked for."""
    rules, plan = cycle.rules or {}, cycle.plan or {}
    breach = rules.get("risk_management", {}).get("on_breach")
    return breach == "flatten" and plan.get("outcome") in (CycleOutcome.HALTED_DAILY_LOSS, CycleOutcome.HALTED_DRAWDOWN)
