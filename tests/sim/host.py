"""One machine: its state folder, its journal, and the lives of the program on it, each of which may end anywhere.

A life is put together as `session.execute` does it, except for the line to the broker, the clock and the boundaries.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused, JournalBroken, LockHeld, WrongAccount
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Rules
from rebalancer.execution.kill_switch import FILE_NAME, KillSwitch, write_halt
from rebalancer.execution.order_manager import LiveOrderManager
from rebalancer.journal import Journal
from rebalancer.market_data.reference import Reference
from rebalancer.ops.clock import one_by_one
from rebalancer.ops.run_lock import RunLock
from rebalancer.rebalance.cycle import CycleResult, run
from rebalancer.rebalance.recover import recover
from rebalancer.rebalance.world import World
from tests.sim.straight import straight_broker
from tests.sim.venue import Venue
from tests.support.faults import Crash
from tests.support.rig import SECTORS

WRITES = frozenset(
    ("begin_cycle", "record_plan", "record_intents", "record_order", "record_orders", "record_event", "record_events",
     "close_cycle", "close_slot", "set_kill", "clear_kill")
)  # fmt: skip
EXPECTED = (BrokerUnavailable, CredentialsRefused, WrongAccount, LockHeld, BadDocument, JournalBroken)


class Given:
    """The signals of one cycle."""

    def __init__(self, make: Callable[[datetime], tuple[Signal, ...]]) -> None:
        self._make = make

    def read(self, now: datetime, held: Collection[str] = ()) -> tuple[Signal, ...]:
        return self._make(now)


class HostClock:
    """Waiting moves the simulated time; this machine's own clock is wrong by `skew`."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def monotonic(self) -> float:
        return self._host.venue.monotonic()

    def wait(self, seconds: float) -> None:
        self._host.boundary("wait")
        self._host.venue.advance(max(seconds, 0.001))

    def wall(self) -> datetime:
        return self._host.venue.now() + timedelta(seconds=self._host.skew_seconds)


class BoundedJournal:
    """The journal with a boundary before and after each write, and a disk that may fail."""

    def __init__(self, journal: Journal, host: Host) -> None:
        self._journal, self._host = journal, host

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._journal, name)
        if name not in WRITES:
            return found
        host = self._host

        def bounded(*args: Any, **kwargs: Any) -> Any:
            host.boundary(f"journal {name}")
            with host.trouble(self._journal):
                answer = found(*args, **kwargs)
            host.boundary(f"journal {name} done")
            return answer

        return bounded


class Life(NamedTuple):
    """One process."""

    world: World
    journal: Journal
    broker: AlpacaBroker


class Host:
    """One machine. `at_boundary` holds what is to happen at which boundary from now on."""

    def __init__(self, name: str, folder: Path, venue: Venue, template: Path, holder: str = "") -> None:
        self.name, self.folder, self.venue = name, folder, venue
        folder.mkdir(parents=True, exist_ok=True)
        self.journal_file = folder / "journal.sqlite"
        if not self.journal_file.exists():
            for part in template.parent.glob(template.name + "*"):
                shutil.copy(part, folder / part.name.replace(template.name, "journal.sqlite"))
        self.skew_seconds = 0.0
        self.at_boundary: dict[int, Callable[[], None]] = {}
        self.disk = ""
        self.boundaries = 0
        self.life: Life | None = None
        self.account_id = ""
        self._down = False
        self._tap: sqlite3.Connection | None = None

    # --- boundaries

    def boundary(self, name: str) -> None:
        """A point between two effects: this life may end here, and others may take their turn."""
        if self._down:
            raise Crash(f"dead before {name}")
        self.boundaries += 1
        self.venue.figures["boundaries"] += 1
        act = self.at_boundary.pop(self.boundaries, None)
        if act is not None:
            self.venue.say(f"{self.name} at {name}")
            act()
        self.venue.relay.boundary()

    def crash(self) -> None:
        """End this life now."""
        self._down = True
        self.venue.figures["crashes"] += 1
        self.venue.say(f"{self.name} dies")
        raise Crash("killed")

    def stands(self, client_order_id: str) -> tuple[bool, bool]:
        """Whether an intent, and whether the kill switch, is committed on this machine at this moment."""
        if self._tap is None:
            self._tap = sqlite3.connect(f"file:{self.journal_file}?mode=ro", uri=True, check_same_thread=False)
        query = "SELECT count(*) FROM events WHERE kind = 'order_intended' AND key = ?"
        intended = self._tap.execute(query, (client_order_id,)).fetchone()[0] == 1
        return intended, (self.folder / FILE_NAME).exists()

    def trouble(self, journal: Journal) -> _Trouble:
        """What the disk does to the next write."""
        kind, self.disk = self.disk, ""
        return _Trouble(kind, journal, self)

    # --- lives

    def start(self, rules: Rules) -> Life:
        """Begin a new life."""
        self.end()
        self._down = False
        journal = Journal.open(self.journal_file, holder=self.name, busy_timeout_ms=1)
        try:
            clock = HostClock(self)
            broker = straight_broker(
                lambda asked, call: self.venue.carry(self, asked, call), rules.broker, clock.monotonic, clock.wait
            )
            bounded: Any = BoundedJournal(journal, self)
            latest = journal.cycles(None, 1)
            account_id = latest[0].account_id if latest else broker.account().id
            kill = KillSwitch(self.folder, journal)
            world = World(
                mode="simulated",
                version="sim",
                account_id=account_id,
                broker=broker,
                order_manager=LiveOrderManager(account_id, broker, bounded, kill, clock, one_by_one, rules),
                journal=bounded,
                kill=kill,
                signals=Given(lambda _: ()),
                reference=Reference(broker, self.folder, SECTORS, rules),
                clock=clock,
                gather=one_by_one,
                traffic=broker.traffic,
            )
        except BaseException:
            journal.close()
            raise
        self.account_id = account_id
        self.life = Life(world, journal, broker)
        return self.life

    def end(self) -> None:
        """End the life that is running, if one is."""
        if self.life is not None:
            self.life.journal.close()
            self.life = None

    def cycle(
        self, slot: str | None, signals: Callable[[datetime], tuple[Signal, ...]], rules: Rules, *, fresh: bool
    ) -> CycleResult | str:
        """One cycle under the run lock, in a new life or in the one that runs: its result, or what ended it early."""
        try:
            with RunLock(self.folder / "run.lock", "sim"):
                return self._cycle(slot, signals, rules, fresh=fresh)
        except Crash:
            self.end()
            return "crash"
        except EXPECTED as error:
            if not isinstance(error, LockHeld):
                self.end()
            self.venue.say(f"{self.name} stops: {type(error).__name__}: {str(error)[:200]}")
            self.venue.figures[f"stop {type(error).__name__}"] += 1
            return f"{type(error).__name__}: {error}"

    def _cycle(
        self, slot: str | None, signals: Callable[[datetime], tuple[Signal, ...]], rules: Rules, *, fresh: bool
    ) -> CycleResult:
        life = self.start(rules) if fresh or self.life is None else self.life
        world = life.world._replace(signals=Given(signals))
        recover(world, life.broker, rules)
        result = run(world, rules, slot)
        self.venue.figures["cycles completed"] += 1
        self.venue.figures[f"outcome {result.outcome}"] += 1
        for verdict in (*result.verdicts, *result.unsignalled):
            self.venue.figures[f"verdict {verdict.outcome}"] += 1
        self.venue.say(f"{self.name} {result.snapshot.cycle_id} {result.outcome}: {result.because}")
        return result

    # --- people and disks

    def set_kill(self) -> None:
        """A person throws the switch."""
        self.venue.figures["kill set"] += 1
        self.venue.say(f"{self.name} kill switch")
        write_halt(self.folder, "simulated")

    def lift_kill(self) -> None:
        """A person lifts the switch."""
        (self.folder / FILE_NAME).unlink(missing_ok=True)

    def keep_copy(self, target: Path) -> None:
        """Copy the folder as it is, with no life running."""
        self.end()
        self._untap()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target)

    def put_back(self, source: Path, *, witness: bool) -> None:
        """Put a copy in the folder's place; without its witness the one that is there stays."""
        self.end()
        self._untap()
        for path in self.folder.iterdir():
            if path.name.startswith("journal.sqlite") and (witness or not path.name.endswith(".head")):
                path.unlink()
        for path in source.iterdir():
            if path.name.startswith("journal.sqlite") and (witness or not path.name.endswith(".head")):
                shutil.copy(path, self.folder / path.name)

    def _untap(self) -> None:
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def close(self) -> None:
        self.end()
        self._untap()


class _Trouble:
    """A disk that is full, or a database that somebody else holds, for the length of one write. Both are real."""

    def __init__(self, kind: str, journal: Journal, host: Host) -> None:
        self._kind, self._journal, self._host = kind, journal, host
        self._other: sqlite3.Connection | None = None

    def __enter__(self) -> None:
        if self._kind == "locked":
            self._other = sqlite3.connect(self._host.journal_file, isolation_level=None, check_same_thread=False)
            self._other.execute("BEGIN IMMEDIATE")
        elif self._kind == "full":
            self._limit(1)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._other is not None:
            self._other.close()
        elif self._kind == "full":
            self._limit(1_000_000)
        if self._kind and isinstance(error, JournalBroken):
            self._host.venue.figures[f"disk {self._kind}"] += 1

    def _limit(self, pages: int) -> None:
        engine = self._journal._store.database.engine
        with engine.connect().execution_options(journal_begin="") as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def outcome_of(result: CycleResult | str) -> CycleOutcome | None:
    """How a cycle ended, None when it did not."""
    return result.outcome if isinstance(result, CycleResult) else None
