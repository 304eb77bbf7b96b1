"""The protection campaign: random rebalances with exits kept at the broker, while everything goes wrong.

The real cycle, the real keeper of exits and the real monitor run on the real exchange in one process, in simulated
time. What is measured is the exchange's own state, sampled at least once a simulated second and around every request:

    a stretch     the time during which a symbol has shares, but neither resting exits for all of them, nor a look of
                  the monitor at its price within the last two polls; only while the market is open
    its causes    what happened in it: "broker" (it refused, failed or did not answer), "crash", "sleep" (the program
                  or the wire stood still); none of these: the program's own way

`python -m tests.execution.exit_orders.campaign --rebalances 1000 --seed 1` prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import shutil
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from rebalancer.brokers.alpaca import client
from rebalancer.core.facts import Signal
from rebalancer.core.values import ZERO
from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.errors import ApiError
from rebalancer.exchange.faults.rules import Rule
from rebalancer.exchange.state import Behaviour
from rebalancer.journal import Journal
from rebalancer.planning.exit_levels import ExitLevel
from rebalancer.planning.stop_triggers import stop_triggers
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.session import monitor
from tests.execution.exit_orders.bench import ProtectionHost, ProtectionVenue, Stretch, Tape, campaign_rules, resting
from tests.execution.exit_orders.findings import OTHERS, POSTS, Part, document_of, standing_alerts
from tests.sim.draws import Chances, stream
from tests.sim.lists import activities_of, orders_of
from tests.sim.straight import without_threads
from tests.sim.template import MEMORY, forget_template, template
from tests.sim.venue import Venue, Wire, sessions

SYMBOLS: Final = ("AAPL", "JPM", "KO", "NVDA", "XOM")
START: Final = datetime(2026, 11, 16, 14, 40, tzinfo=UTC)
PART: Final = 50  # rebalances of one account
QUIET: Final = Wire(latency_seconds=0.05)
TELLING: Final = ("unprotected", "exit_failed")  # alerts that tell of a position without protection


class Campaign:
    """The course of one campaign."""

    def __init__(self, seed: int, rebalances: int, folder: Path) -> None:
        self.seed, self.rebalances = seed, rebalances
        self.rules = campaign_rules()
        self.longest = self.rules.protection.max_unprotected_seconds
        behaviour = Behaviour(fill_latency_seconds=0.5, partial_fill_probability=0.1, multiplier=2)
        self.venue = ProtectionVenue(seed, START, SYMBOLS, Decimal(100_000), behaviour, QUIET)
        self.venue.exchange.faults.put(
            (
                Rule("partial", "partial_fill", probability=0.1),
                Rule("race", "cancel_race", probability=0.03, parameters={"partial": False}),
                Rule("half", "cancel_race", probability=0.03, parameters={"partial": True}),
            ),
            seed,
        )
        self.tape = self.venue.tape = Tape(self.rules.protection.poll_seconds)
        self.figures = self.venue.figures
        self.host = ProtectionHost(folder / "h1", self.venue)
        self.draws = stream(seed, "course")
        self.violations: list[str] = []
        self.cycles: list[tuple[int, int]] = []

    def run(self) -> None:
        """All rebalances; what rests is looked at after each."""
        with patch.object(monitor, "stop_triggers", self._trip):
            for number in range(1, self.rebalances + 1):
                try:
                    self._rebalance(number)
                except Exception as error:
                    said = " | ".join(traceback.format_exc().splitlines()[-5:])
                    self.violations.append(f"rebalance {number}: {type(error).__name__}: {error} | {said}")
                    self.host.end()
            self._pass_time(60)
        self.host.end()

    def _trip(self, guards: Sequence[ExitLevel], *rest: Any) -> Any:
        found = stop_triggers(guards, *rest)
        seen = [g.symbol for g in guards if g.symbol not in found.blind]
        self.figures["watched by the monitor"] += len(seen)
        self.tape.looked(seen, self.venue.micros())
        return found

    def _rebalance(self, number: int) -> None:
        self._go_where_the_market_is_open()
        faulty = self.draws.random() < 0.6
        self.venue.wire = QUIET._replace(posts=POSTS, others=OTHERS) if faulty else QUIET
        self._meddle()
        before, began = resting(self.venue), self.venue.micros()
        crashes = self.figures["crashes"]
        found = self.host.cycle(None, self._signals(number), self.rules, fresh=self.draws.random() < 0.3)
        self.cycles.append((began, self.venue.micros()))
        self.figures["rebalances"] += 1
        if self.figures["crashes"] > crashes:
            self.figures["crashes in a cycle"] += 1
            self.tape.blame("crash")
            self.venue.troubles = frozenset({"crash"})
            self.venue.advance(self.draws.choice((1.0, 5.0, 5.0, 15.0)))  # until the service is started again
        self._paths(before, resting(self.venue))
        self._pass_time(self.draws.choice((5, 10, 20, 50)))
        self.venue.wire = QUIET
        if isinstance(found, CycleResult) and self.host.look(self.rules):
            self._settled(number)
        self.venue.troubles = frozenset()

    def _signals(self, number: int) -> Callable[[datetime], tuple[Signal, ...]]:
        draws, began = stream(self.seed, f"signals {number}"), self.venue.now() - timedelta(seconds=1)
        scores = [draws.choice((1.0, 1.0, 0.8, 0.6, 0.3, 0.0, None)) for _ in SYMBOLS]
        rows = tuple(
            Signal(f"s{number}-{symbol}", symbol, score, 1.0, "external", began)
            for symbol, score in zip(SYMBOLS, scores, strict=True)
            if score is not None
        )
        return lambda _: rows

    def _meddle(self) -> None:
        """Draw what people, machines and the line do during this cycle and the looks after it."""
        for chance, act in (
            (0.06, self.host.crash),
            (0.05, partial(self._sleep, 40.0)),
            (0.03, partial(self._outage, 45.0)),
            (0.05, partial(self._trade, "buy")),
            (0.08, partial(self._trade, "sell")),
        ):
            if self.draws.random() < chance:
                at = self.draws.choice((self.draws.randint(1, 60), self.draws.randint(1, 300)))
                self.host.at_boundary[self.host.boundaries + at] = act

    def _sleep(self, seconds: float) -> None:
        self.figures["sleeps"] += 1
        self.tape.blame("sleep")
        self.venue.troubles |= {"sleep"}
        self.venue.advance(seconds)

    def _outage(self, seconds: float) -> None:
        self.figures["outages"] += 1
        self.venue.outage_until = self.venue.micros() + int(seconds * MICROS)

    def _trade(self, side: str) -> None:
        """A person trades, never more than is held and free."""
        symbol = self.draws.choice(SYMBOLS)
        qty: Decimal = Decimal(self.draws.choice(("1", "3", "0.5")))
        position = self.venue.exchange.books.positions.get(symbol)
        if side == "sell":
            qty = min(qty, position.qty if position is not None else ZERO)
        if qty <= ZERO:
            return
        with suppress(ApiError):
            body = {"symbol": symbol, "qty": str(qty), "side": side, "type": "market", "time_in_force": "day"}
            self.venue.exchange.submit(body)
            self.figures["human sales" if side == "sell" else "human orders"] += 1
            self.venue.say(f"a person: {side} {qty} {symbol}")

    def _pass_time(self, seconds: float) -> None:
        """The monitor looks every poll_seconds."""
        until = self.venue.micros() + int(seconds * MICROS)
        while self.venue.micros() < until:
            self.venue.advance(self.rules.protection.poll_seconds)
            if not self.host.look(self.rules) and self.host.life is None:
                self.tape.blame("crash")
                self.venue.advance(5.0)

    def _go_where_the_market_is_open(self) -> None:
        session = self.venue.session()
        if session is None or session.close - self.venue.micros() < 15 * 60 * MICROS:
            self.host.at_boundary.clear()
            self.venue.wire = QUIET
            close = self.venue.micros() if session is None else session.close
            Venue.advance(self.venue, (close - self.venue.micros()) / MICROS + 60)
            self.tape.sample(self.venue)  # the day's stretches end with its session
            opens = sessions().next_open(self.venue.micros()).open
            Venue.advance(self.venue, (opens - self.venue.micros()) / MICROS + 60)
            self.figures["nights"] += 1
            self._pass_time(20)

    def _paths(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """What became of each symbol's pair over this cycle, by the exchange."""
        for symbol in SYMBOLS:
            old, new = ({head for head, _ in rests.get(symbol, ())} for rests in (before, after))
            if old and new and old != new:
                self.figures["path exchange"] += 1
            elif old and not new and symbol not in self.venue.exchange.books.positions:
                self.figures["path gone"] += 1
            elif new and not old:
                self.figures["path new"] += 1

    def _settled(self, number: int) -> None:
        """After a cycle and a quiet look: exactly one pair per position, never for more than is held."""
        self.figures["settled rebalances"] += 1
        self.venue.exchange.catch_up()
        held = {s: p.qty for s, p in self.venue.exchange.books.positions.items()}
        for symbol, pairs in resting(self.venue).items():
            total = sum((qty for _, qty in pairs), ZERO)
            if len(pairs) > 1 or total > max(held.get(symbol, ZERO), ZERO):
                self.violations.append(
                    f"rebalance {number}: {symbol}: {len(pairs)} pairs for {total} shares, {held.get(symbol, ZERO)} "
                    f"are held at {self.venue.now():%m-%d %H:%M:%S}"
                )
                self.figures["orphans"] += 1

    # --- the end

    def judge(self) -> Part:
        """Hold what happened against the laws; the figures."""
        self.venue.count_faults()
        self.tape.end(self.venue.micros())
        with Journal.open(self.host.journal_file, holder="person") as journal:
            alerts = [(e.at, e.key or "", dict(e.body)) for e in journal.events(kind="alert")]
            records = [dict(e.body) for e in journal.events(kind="protection")]
            standing = standing_alerts(journal)
        self.figures["path refused"] += sum(1 for r in records if r["state"] == "gone" and not r["ids"])
        self.figures["path unknown"] += sum(1 for r in records if r["state"] == "unknown")
        self._count_fills()
        self._never_short()
        untold = [
            s
            for s in self.tape.stretches
            if s.seconds > self.longest and not (self._is_reported(s, alerts) or any(one.tells(s) for one in standing))
        ]
        said = [
            f"no alert: {s.symbol} unprotected for {s.seconds:.1f} s from {_clock(s.start)} "
            f"({', '.join(sorted(s.causes)) or 'nothing went wrong'})"
            for s in untold
        ]
        told = Counter(str(body["code"]) for _, _, body in alerts)
        broken = [f"seed {self.seed}: {one}" for one in (*self.violations, *said, *sorted(set(self.tape.short)))]
        return Part(tuple(self.tape.stretches), self.longest, told, len(untold), broken, self.figures)

    def _is_reported(self, stretch: Stretch, alerts: Sequence[tuple[datetime, str, Mapping[str, Any]]]) -> bool:
        slack = 3 * self.rules.protection.poll_seconds * MICROS
        for at, key, body in alerts:
            micros = at.timestamp() * MICROS
            is_loud = body["level"] in ("action", "warning") and body["code"] in TELLING
            is_about = key in (stretch.symbol, "monitor") or stretch.symbol in str(body["text"])
            if is_loud and is_about and stretch.start <= micros <= stretch.end + slack:
                return True
        return False

    def _count_fills(self) -> None:
        """Exits that traded, and those that did it while a cycle ran."""
        for order in orders_of(self.venue):
            if order["order_class"] == "oco" and Decimal(order["filled_qty"]) > 0 and order["filled_at"]:
                kind = "target" if order["type"] == "limit" else "stop"
                self.figures[f"exits filled: {kind}"] += 1
                at = datetime.fromisoformat(order["filled_at"][:26].rstrip("Z") + "+00:00").timestamp() * MICROS
                if any(start <= at <= end for start, end in self.cycles):
                    self.figures["path filled in the middle"] += 1

    def _never_short(self) -> None:
        """The running sum of all fills never crosses zero."""
        sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for fill in activities_of(self.venue):
            if fill["activity_type"] == "FILL":
                sums[fill["symbol"]] += Decimal(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
                if sums[fill["symbol"]] < ZERO:
                    self.violations.append(f"sold more than held: {fill}")

    def close(self) -> None:
        """Let go of all files."""
        self.host.close()
        self.venue.exchange.store.close()


def _clock(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / MICROS, UTC):%m-%d %H:%M:%S}"


def run_part(seed: int, rebalances: int, lines: list[str] | None = None) -> Part:
    """Run one part. `lines` receives the story, for people."""
    folder = Path(tempfile.mkdtemp(prefix="protection-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with without_threads(), patch.object(client, "secrets", Chances(seed)):
            campaign = Campaign(seed, rebalances, folder)
            try:
                campaign.run()
                return campaign.judge()
            finally:
                campaign.close()
                if lines is not None:
                    lines += campaign.venue.lines
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_asked(asked: tuple[int, int]) -> Part:
    return run_part(*asked)


def run_campaign(seed: int, rebalances: int, jobs: int = 1) -> dict[str, Any]:
    """Run a campaign in parts of a new account each: its JSON document, the same for any number of jobs."""
    sizes = [PART] * (rebalances // PART) + ([rebalances % PART] if rebalances % PART else [])
    asked = [(seed * 1_000 + number, size) for number, size in enumerate(sizes)]
    sessions()  # made once, for all
    template()
    if jobs == 1:
        parts = [run_part(*one) for one in asked]
    else:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            parts = []
            for part in pool.imap(_run_asked, asked, chunksize=1):
                parts.append(part)
                print(f"{len(parts)} of {len(asked)} parts, {len(part.violations)} violations", file=sys.stderr)
    forget_template()
    return document_of(seed, parts)


def main() -> int:
    """Run a campaign and print what it found."""
    parser = argparse.ArgumentParser(prog="python -m tests.execution.exit_orders.campaign")
    parser.add_argument("--rebalances", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", type=int, help="tell the story of the part with this seed, as violations name it")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if given.part is not None:
        lines: list[str] = []
        found = document_of(given.part, [run_part(given.part, min(given.rebalances, PART), lines)])
        print("\n".join(lines), file=sys.stderr)
    else:
        found = run_campaign(given.seed, given.rebalances, given.jobs)
    print(json.dumps(found, indent=1))
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
