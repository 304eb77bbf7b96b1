"""`desk drill`: two hosts, one account, one database; hosts are killed and paused; the journal says who traded when.

Everything is real and on this machine: an exchange, two state folders, a `session --standby` on each, and PostgreSQL.
The exchange's time is stepped from slot to slot, and new target weights before each, so that every slot trades. The
database must hold no journal of paper trading, since the drill writes one.
"""

from __future__ import annotations

import json
import random  # noqa: TID251 - faults, not decisions
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rebalancer.cli.drill_findings import DrilledSlot, findings, in_words, leases_of, outcome_of
from rebalancer.cli.drill_hosts import DrillHost, SteppedExchange, write_project, write_targets
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError
from rebalancer.ops.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.journal.place import PostgresPlace
    from rebalancer.journal.read_only import ReadOnlyJournal

LEASE_SECONDS: Final = 4
HOSTS: Final = ("alpha", "beta")
FAULTS: Final = ("none", "none", "kill", "kill", "pause")
OPEN: Final = datetime(2026, 11, 20, 14, 37, 30, tzinfo=UTC)
FIRST: Final = datetime(2026, 11, 20, 14, 40, tzinfo=UTC)
STEP: Final = timedelta(minutes=5)
SLOTS_MAX: Final = 60  # of one day
SYMBOLS: Final = ("AAPL", "CAT", "COST", "JNJ", "JPM", "KO", "MSFT", "XOM")
WEIGHTS: Final = (0.0, 0.03, 0.06, 0.09, 0.12)
START_SECONDS: Final = 60.0
SLOT_SECONDS: Final = 5.0 * LEASE_SECONDS  # after that a slot is left as it is
AGAIN: Final = frozenset({-signal.SIGKILL, ExitCode.LOCKED, ExitCode.UNAVAILABLE})  # others need a person


class DueFault(NamedTuple):
    """What is to happen to a host, and when, on the monotonic clock."""

    at: float
    host: DrillHost
    act: Callable[[DrillHost], None]


def run_drill(url: str, *, slots: int, seed: int, as_json: bool) -> int:
    """Drill, and print who held the account when. Exit code 0 when every slot had one owner or is recorded as missed,
    and every order stands once at the exchange and in the journal; else 1."""
    from rebalancer.journal.place import PostgresPlace, schema_name
    from rebalancer.journal.read_only import exists

    place = PostgresPlace(url, schema_name("paper", ""))
    if exists(place):
        hint = "name an empty database, such as one made by createdb"
        raise BadDocument(str(place), "holds a journal already", hint)
    say = _silent if as_json else _said
    say(f"two hosts, one account, a lease of {LEASE_SECONDS} s; {slots} slots, seed {seed}\n\n")
    say(f"{'slot':<6} {'token':>5}  {'host':<6} {'orders':>6}  {'ended':<12} what happened\n")
    with tempfile.TemporaryDirectory(prefix="rebalancer-drill-") as name, ExitStack() as stack:
        folder = Path(name)
        write_project(folder)
        exchange = SteppedExchange(folder, OPEN - STEP)
        stack.callback(exchange.close)
        hosts = [DrillHost(host, folder, exchange, url, LEASE_SECONDS) for host in HOSTS]
        drill = HostDrill(folder, place, exchange, hosts, random.Random(seed), say)  # noqa: S311 - faults, not secrets
        stack.callback(drill.journal.close)
        for host in hosts:
            stack.callback(host.stop)
        drill.run(slots)
        found = findings(place, exchange.orders(), drill.rows)
        ends = Counter(f"{host}: {code}" for host, code in drill.ends)
    if as_json:
        document = {"schema": "rebalancer.drill/1", "seed": seed, "lease_seconds": LEASE_SECONDS}
        sys.stdout.write(json.dumps(document | {"ends": dict(sorted(ends.items()))} | found._asdict(), indent=1) + "\n")
    else:
        sys.stdout.write(in_words(found))
    return ExitCode.UNEXPECTED if found.wrong else ExitCode.DONE


class HostDrill:
    """The course of one drill. `rows` are its slots, `ends` how processes ended, as (host, exit code), `due` what is
    yet to happen to a host."""

    weights_age = timedelta(minutes=1)  # how old the weights of a slot say that they are

    def __init__(
        self,
        folder: Path,
        place: PostgresPlace,
        exchange: SteppedExchange,
        hosts: Sequence[DrillHost],
        chance: random.Random,
        say: Callable[[str], None],
    ) -> None:
        from rebalancer.journal.read_only import ReadOnlyJournal

        self.folder, self.exchange, self.hosts, self.chance, self._say = folder, exchange, hosts, chance, say
        self.journal: ReadOnlyJournal = ReadOnlyJournal(place)
        self.clock = SystemClock()
        self.again = AGAIN  # exit codes after which a session is started again by itself
        self.due: list[DueFault] = []
        self.rows: list[DrilledSlot] = []
        self.ends: list[tuple[str, int]] = []
        self._happened: list[str] = []

    def run(self, slots: int) -> None:
        """All slots, the last one without a fault; then both sessions are stopped. Raises ExternalError when no session
        takes the account."""
        self.begin(OPEN)
        for number in range(slots):
            self.slot(FIRST + number * STEP, has_fault=number < slots - 1)
        self.end()

    def begin(self, at: datetime) -> None:
        """Start a session on every host; returns once one of them has the account. Raises ExternalError otherwise."""
        self.step_to(at)
        ended = len(self.ends) + len(self.hosts)
        for host in self.hosts:
            if host.process is None:
                host.start()
        self.until(lambda: self.trading() is not None or len(self.ends) == ended, START_SECONDS)
        if self.trading() is None:
            log = "".join(host.log.read_text() for host in self.hosts)
            raise ExternalError(f"no session took the account: {log[-2000:]}")

    def slot(self, at: datetime, *, has_fault: bool) -> None:
        """One slot, from its weights to its outcome, with at most one fault more."""
        name = at.strftime("%Y-%m-%dT%H:%MZ")
        weights = {symbol: self.chance.choice(WEIGHTS) for symbol in SYMBOLS}
        write_targets(self.folder, weights, at - self.weights_age)
        self.step_to(at)
        drawn = self.draw() if has_fault else None
        self.until(lambda: self.outcome(name) is not None and drawn not in self.due, SLOT_SECONDS)
        self.rows.append(DrilledSlot(name, tuple(self._happened)))
        self._happened.clear()
        self._say(self.line(self.rows[-1]))

    def end(self) -> None:
        """Stop every session in an orderly way."""
        self.due.clear()
        self.ends += [(host.name, code) for host in self.hosts if (code := host.stop()) is not None]

    def step_to(self, at: datetime) -> None:
        """Let the exchange and every host live at this moment."""
        self.exchange.step_to(at)
        for host in self.hosts:
            host.set_wall(at)

    def draw(self) -> DueFault | None:
        """Let something happen to a host, more often to the one that trades, now or while it does."""
        kind, at = self.chance.choice(FAULTS), self.clock.monotonic() + self.chance.uniform(0.0, 1.0)
        victim = self.victim()
        if kind == "none" or any(due.host is victim for due in self.due):
            return None
        self.due.append(DueFault(at, victim, self.kill if kind == "kill" else self.pause))
        return self.due[-1]

    def victim(self) -> DrillHost:
        """A host, more often the one that trades."""
        trading = self.trading()
        return trading if trading and self.chance.random() < 0.75 else self.chance.choice(self.hosts)

    def kill(self, host: DrillHost) -> None:
        """SIGKILL; it is started again a little later, perhaps after the lease."""
        host.signal(signal.SIGKILL)
        self.happened(f"{host.name} killed")

    def pause(self, host: DrillHost) -> None:
        """SIGSTOP for some time, perhaps longer than the lease."""
        host.signal(signal.SIGSTOP)
        seconds = self.chance.uniform(0.5, 2.5) * LEASE_SECONDS
        self.happened(f"{host.name} paused {seconds:.1f} s")
        self.due.append(DueFault(self.clock.monotonic() + seconds, host, lambda one: one.signal(signal.SIGCONT)))

    def restart(self, host: DrillHost) -> None:
        """Start a session again, unless one was started meanwhile."""
        if host.process is None:
            host.start()
            self.happened(f"{host.name} back")

    def happened(self, words: str) -> None:
        """Note it for the line of this slot."""
        self._happened.append(words)

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Look after the hosts until something is true, or for so long; whether it is."""
        end = self.clock.monotonic() + seconds
        while not true():
            if self.clock.monotonic() >= end:
                return False
            self._tend()
            self.clock.wait(0.05)
        return True

    def _tend(self) -> None:
        now = self.clock.monotonic()
        for one in [due for due in self.due if due.at <= now]:
            self.due.remove(one)
            one.act(one.host)
        for host in self.hosts:
            code = host.ended()
            if code is None:
                continue
            self.ends.append((host.name, code))
            if code in self.again:
                self.due.append(DueFault(now + self.chance.uniform(0.1, 1.5 * LEASE_SECONDS), host, self.restart))
            else:
                self.happened(f"{host.name} ended with {code}")

    def trading(self) -> DrillHost | None:
        """The host that took the lease last."""
        found = leases_of(self.journal) if self.journal.is_created else ()
        return next((host for host in self.hosts if found and host.name == found[-1]["host"]), None)

    def outcome(self, slot: str) -> str | None:
        """How a slot ended; None as long as it has not."""
        return outcome_of(self.journal, slot)

    def line(self, row: DrilledSlot) -> str:
        """A slot in words: one line of at most 80 columns, unless much happened."""
        started = next((e for e in reversed(self.journal.events(kind="cycle_started")) if e.cycle_id == row.id), None)
        token = host = ""
        if started is not None:
            host = str(started.body["holder"]).rpartition(":")[0]
            token = str(max((one["token"] for one in leases_of(self.journal) if one["row"] < started.seq), default=""))
        orders, ended = len(self.journal.orders_of(row.id)), self.outcome(row.id) or "not yet"
        words = f"{row.id[11:16]:<6} {token:>5}  {host:<6} {orders:>6}  {ended:<12} {', '.join(row.events)}"
        return f"{words.rstrip()}\n"


def _said(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _silent(_: str) -> None:
    """JSON is one document."""
