"""One simulated history: some days of a program that crashes, on a broker that fails, with people who meddle.

Everything is drawn from the seed. After the last cycle the faults stop, and within a few cycles everything must have
come to its end; then the laws are checked on all that was written down.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from rebalancer.accounting.acceptance import accept_books
from rebalancer.accounting.loss_latches import rearm
from rebalancer.brokers.alpaca import client
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.exchange import orders as exchange_orders
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.errors import ApiError
from rebalancer.execution.pretrade import rearm_throttle
from rebalancer.journal import Journal
from rebalancer.planning.trading_halt import LOSS_LIMITS
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.testing import laws
from rebalancer.testing.evidence import Evidence, read_journal
from tests.sim.draws import Chances, stream
from tests.sim.executing import Executing, MakeSignals
from tests.sim.host import Host
from tests.sim.lists import activities_of, intents_of, orders_of, signed_qty
from tests.sim.meddling import Meddling
from tests.sim.scenario import Scenario, scenario_of
from tests.sim.straight import without_threads
from tests.sim.template import MEMORY, template
from tests.sim.venue import Venue, sessions

SETTLING_CYCLES = 8
TOO_LATE_SECONDS = 135  # beyond it a floating request may come after it was given up


class Report(NamedTuple):
    """What one history was like. `digest` is the same whenever the same seed is run on the same code."""

    seed: int
    figures: Counter[str]
    violations: list[str]
    digest: str
    lines: list[str]


def run_seed(seed: int, scenario: Scenario | None = None, executes: float | None = None) -> Report:
    """Run one history from its seed. executes: instead of the scenario's own rate; two hosts take no requests."""
    scenario = scenario or scenario_of(seed)
    if executes is not None and not scenario.twin:
        scenario = scenario._replace(executes=executes)
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with without_threads(), patch.object(client, "secrets", Chances(seed)):
            history = History(scenario, folder)
            try:
                history.run()
                return history.report()
            finally:
                history.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quietly(run: Callable[[int], Report], seed: int) -> Report:
    """The same without the history's lines, which only people read, and without what the program logs."""
    logging.disable(logging.CRITICAL)
    return run(seed)._replace(lines=[])


class History(Executing, Meddling):
    """The course of one history."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        seed = scenario.seed
        self.venue = Venue(seed, scenario.start, scenario.symbols, scenario.cash, scenario.behaviour, scenario.wire)
        self.venue.exchange.faults.put(scenario.venue_faults, seed)
        self.figures = self.venue.figures
        self.host = Host("h1", folder / "h1", self.venue, template())
        self.twin = Host("h2", folder / "h2", self.venue, template()) if scenario.twin else None
        self.draws = stream(seed, "course")
        self.rules = scenario.rules
        self.begin_executing()
        self.violations: list[str] = []
        self.digest = hashlib.sha256()
        self.kill_left = 0
        self.twin_stopped = False
        self.lost_rows = False

    # --- the course

    def run(self) -> None:
        """All cycles, then the quiet ones."""
        try:
            for _ in range(self.scenario.cycles):
                self.step()
                self.pass_time()
            if not self.scenario.twin:
                self.settle()
        except Exception as error:
            said = traceback.format_exc().splitlines()
            self.violations.append(f"I16: {type(error).__name__}: {error} | {' | '.join(said[-7:])}")
        self.host.end()
        self.judge()

    def step(self) -> None:
        """One turn of everybody: people meddle, then the program runs."""
        for name, chance in self.scenario.actions.items():
            if self.draws.random() < chance:
                self.figures[f"action {name}"] += 1
                getattr(self, f"_{name}", self._nothing)()
        if self.kill_left:
            self.kill_left -= 1
            if not self.kill_left:
                self.host.lift_kill()
        self.batch()
        self.execute_some()

    def batch(self) -> None:
        """The program runs once, or several instances of it at once."""
        slot = self.slot()
        signals = self.signals()
        fresh = self.draws.random() < 0.3
        if self.scenario.twin and not self.twin_stopped:
            assert self.twin is not None
            acts = [(h.name, partial(self.one, h, slot, signals, fresh)) for h in (self.host, self.twin)]
            if self.draws.random() < 0.5:
                self.figures["interleaved hosts"] += 1
                self.venue.relay.run(acts)
            else:
                for _, act in acts:
                    act()
        elif self.scenario.rivals > 1:
            rivals = [self.rival(n) for n in range(1, self.scenario.rivals)]
            acts = [("h1", partial(self.one, self.host, slot, signals, fresh))]
            acts += [(r.name, partial(self.one, r, slot, signals, True)) for r in rivals]
            self.figures["interleaved rivals"] += 1
            self.venue.relay.run(acts)
            for rival in rivals:
                rival.close()
        else:
            self.one(self.host, slot, signals, fresh)

    def rival(self, number: int) -> Host:
        """Another process on the same machine, in the same folder."""
        return Host(f"h1.{number}", self.host.folder, self.venue, template())

    def one(
        self, host: Host, slot: str | None, signals: MakeSignals, fresh: bool, rules: Rules | None = None
    ) -> CycleResult | str:
        """One cycle of one process."""
        self.figures["cycles"] += 1
        host.at_boundary = {n: act for n, act in host.at_boundary.items() if n > host.boundaries}
        found = host.cycle(slot, signals, rules or self.rules, fresh=fresh)
        if isinstance(found, CycleResult):
            return found
        self.figures["cycles cut short"] += 1
        told = found.partition(":")[0]
        if host is self.twin or (self.scenario.twin and told == "JournalBroken"):
            if told == "JournalBroken":
                self.twin_stopped = True
                self.figures["twin refused"] += 1
            return found
        if told == "JournalBroken" and not self._may_break(found):
            self.violations.append(f"I16: the journal refused without a reason of ours: {found[:300]}")
        return found

    def _may_break(self, found: str) -> bool:
        """Whether something that we did explains that the journal refuses."""
        disk = {"action disk_full", "action disk_locked", "action old_copy"}
        return bool(disk & set(self.scenario_actions())) and any(
            words in found for words in ("full", "locked", "tail", "our prefix", "replaced", "readonly")
        )

    def scenario_actions(self) -> list[str]:
        return [name for name in self.figures if name.startswith("action ")]

    def slot(self) -> str | None:
        """The slot of this moment; now and then a run by hand."""
        if self.draws.random() < 0.1 or self.venue.micros() % (300 * MICROS) > 10 * MICROS:
            return None
        now = self.venue.now()
        return now.replace(minute=now.minute - now.minute % 5).strftime("%Y-%m-%dT%H:%MZ")

    def pass_time(self) -> None:
        """To the next slot as a rule; sometimes not at all, sometimes much longer; over nights in one step."""
        kind = self.draws.random()
        if "double_fire" in self.scenario.actions and kind < 0.05:
            self.figures["double fire"] += 1
            self.venue.advance(self.draws.choice((0.0, 1.0)))
        elif "missing_fires" in self.scenario.actions and kind < 0.15:
            self.figures["missing fires"] += 1
            self.venue.advance(self.draws.choice((900.0, 3600.0, 2 * 3600.0)))
        elif kind < 0.25:
            self.venue.advance(self.draws.choice((20.0, 50.0, 100.0)))  # somebody runs it by hand
        else:
            seconds = 300 - self.venue.micros() // MICROS % 300
            self.venue.advance(seconds + self.draws.random() * 3)
        if self.venue.session() is None and self.draws.random() < 0.8:
            self.to_next_open()

    def to_next_open(self) -> None:
        """Over the night or the weekend."""
        self.figures["nights"] += 1
        opens = sessions().next_open(self.venue.micros()).open
        self.venue.advance((opens - self.venue.micros()) / MICROS + self.draws.choice((0.5, 60, 320, 3600)))

    # --- what only the whole history can do

    def _old_copy(self) -> None:
        """Somebody puts an old copy of the journal in its place, and after one cycle the newest again."""
        if self.scenario.rivals > 1 or self.scenario.twin:
            return
        old, new = self.folder / "old", self.folder / "new"
        if not old.exists() or self.draws.random() < 0.3:
            self.host.keep_copy(old)
            return
        before = {post.client_order_id for post in self.venue.posts}
        known = intents_of(old / "journal.sqlite")
        booked = {o["client_order_id"] for o in orders_of(self.venue)}
        if not {name for name in before & booked if name not in known}:
            return
        witness = self.draws.random() < 0.5
        self.host.keep_copy(new)
        self.host.put_back(old, witness=witness)
        self.figures["old copies with their witness" if witness else "old copies"] += 1
        count = len(self.venue.posts)
        self.one(self.host, None, self.signals(), fresh=True)
        if len(self.venue.posts) != count:
            sent = [post.client_order_id for post in self.venue.posts[count:]]
            self.violations.append(f"B8: an old copy of the journal (witness {witness}) traded: {sent}")
        self.host.put_back(new, witness=True)

    # --- the end

    def settle(self) -> None:
        """Nothing goes wrong any more; people lift what only people may lift."""
        venue = self.venue
        venue.quiet()
        self.host.at_boundary.clear()
        self.host.disk, self.host.skew_seconds = "", 0.0
        self.host.lift_kill()
        self.last_signals = None
        self.scenario.actions.pop("odd_signals", None)  # from here on signals are sound
        venue.advance(700)
        for symbol in self.scenario.symbols:
            venue.exchange.end_halts(symbol)
        for order in list(venue.exchange.orders.values()):
            if not order.client_order_id.startswith("rb-"):
                with suppress(ApiError):
                    exchange_orders.cancel_order(venue.exchange, order.id)
        self.to_next_open()
        venue.advance(600)
        document = self.rules.model_dump(mode="json")
        document["risk_management"] |= {"max_daily_loss": 1.0, "max_drawdown": 1.0}
        rules = Rules.model_validate(document)
        for number in range(SETTLING_CYCLES):
            self.figures["settling cycles"] += 1
            found = self.host.cycle(None, self.signals(), rules, fresh=number % 2 == 0)
            venue.advance(300)
            if isinstance(found, str):
                self.violations.append(f"I17: a quiet cycle stopped: {found[:300]}")
                return
            with Journal.open(self.host.journal_file, holder="person") as journal:
                rearm_throttle(journal, self.host.account_id, venue.now(), "simulated")
                if found.outcome in {outcome for _, outcome, _ in LOSS_LIMITS}:
                    rearm(journal, self.host.account_id, venue.now(), "simulated")
                if found.outcome is CycleOutcome.HALTED_UNRECONCILED:
                    self.figures["books accepted"] += accept_books(journal, self.host.account_id, venue.now(), "sim")
            done = found.outcome in (CycleOutcome.COMPLETED, CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED)
            if done and not found.plan.frozen and number >= 1:
                break

    def judge(self) -> None:
        """Check the laws on everything. The exchange answers truly from here on."""
        self.venue.quiet()
        rows, cycles, intents, wrong = read_journal(self.host.journal_file)
        activities = activities_of(self.venue)
        seen = Evidence(
            rows=rows,
            cycles=cycles,
            intents=intents,
            posts=[p._asdict() for p in self.venue.posts if p.host.startswith("h1")],
            orders=orders_of(self.venue),
            fills=[a for a in activities if a["activity_type"] in ("FILL", "SPLIT")],
            positions={p["symbol"]: signed_qty(p) for p in self.venue.ask("/v2/positions")},
            sessions=[(s.open, s.close) for s in sessions().sessions if _near(s.open, self.scenario.start)],
        )
        self.violations += wrong
        found = laws.broken_laws(seen)
        given_up = [said for said in found if ": late: " in said]
        self.figures["given up and came late"] += len(given_up)
        self.violations += [said for said in found if said not in given_up or self.scenario.twin is False]
        if self.scenario.twin:
            self.violations = [v for v in self.violations if _counts_with_twin(v)]
        else:
            self.violations += [f"I17: {said}" for said in laws.unsettled(seen)]
            self.violations += self.broken_requests(seen)
        self.figures["orders intended"] += len(intents)
        self.figures["orders at the broker"] += len(seen.ours())
        for intent in intents.values():
            for state in {state for _, state, _ in intent.states}:
                self.figures[f"state {state}"] += 1
        self.figures["rows"] += len(rows)
        self.digest.update(repr(self.venue.posts).encode())
        self.digest.update(repr([(r.seq, r.at, r.kind, r.key, sorted(r.body.items(), key=str)) for r in rows]).encode())

    def report(self) -> Report:
        """What it was like."""
        self.venue.count_faults()
        return Report(self.scenario.seed, self.figures, self.violations, self.digest.hexdigest(), self.venue.lines)

    def close(self) -> None:
        """Let go of all files."""
        self.end_executing()
        self.host.close()
        if self.twin is not None:
            self.twin.close()
        self.venue.exchange.store.close()


def _near(micros: int, start: datetime) -> bool:
    days = (micros / MICROS - start.timestamp()) / 86_400
    return -3 < days < 200


def _counts_with_twin(said: str) -> bool:
    """Of two machines on one account only what each of them can know is demanded."""
    return any(law in said for law in ("I4", "I16", "chain_of_kinds", "killed", "inside_sessions", "verdicts"))
