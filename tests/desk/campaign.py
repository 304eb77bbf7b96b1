"""The proof of two hosts: one account, one PostgreSQL, the real program on both, and everything goes wrong.

Each host has a state folder, processes, a wall clock and a network to the database of its own. From a seed, a host is
killed (SIGKILL), paused for longer than its lease (SIGSTOP), cut off from the database, or its clock is set by an
hour; the database crashes and comes back; and at a third and at two thirds of the slots an older replica takes its
place. Then nothing may be sent. The first time the newer database is brought back, the second time a person accepts the
older one.

The exchange's time is stepped from slot to slot, over as many trading days as it takes. The lease lasts 4 s instead of
160, and everything that is measured in leases is as much shorter; nothing else is.

`python -m tests.desk.campaign --slots 200 --seed 1` prints one JSON document, and ends with 1 when anything is wrong.
`check_history` judges, which shares no code with the program, and so do the laws of `rebalancer.testing`.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rebalancer.cli.drill import LEASE_SECONDS, SLOT_SECONDS, STEP, DueFault, HostDrill
from rebalancer.cli.drill_findings import DrilledSlot
from rebalancer.cli.drill_hosts import DrillHost, SteppedExchange, write_project
from rebalancer.core.errors import JournalBroken
from rebalancer.journal.place import PostgresPlace
from rebalancer.testing import laws
from rebalancer.testing.evidence import evidence_of
from tests.desk import check_history
from tests.desk.proxy import Break, Proxy
from tests.support.postgres import Cluster

SCHEMA: Final = "rebalancer_paper"
DATABASE: Final = "desk"
DAYS: Final = ("2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25")  # whole days of winter time, 78 slots each
SLOTS_A_DAY: Final = 78
HOUR: Final = timedelta(hours=1)
BREAKS: Final[tuple[Break, ...]] = ("cut", "drop", "stall")
FAULTS: Final = {"kill": 12, "pause": 10, "partition": 10, "clock": 8, "crash of the database": 2}  # percent of slots
A_PERSON: Final = frozenset({5, 78})  # exit codes of a session that needs one
QUIET: Final = 3  # slots without faults at the end, in which everything comes to its own
CLOSE_SECONDS: Final = 120.0


class Campaign(HostDrill):
    """The course of one campaign."""

    weights_age = timedelta(minutes=70)  # weights from the future are refused, also by a host whose clock is slow

    def __init__(self, seed: int, folder: Path, database: Cluster, hosts: Sequence[DrillHost], **parts: Any) -> None:
        super().__init__(folder, hosts=hosts, chance=random.Random(seed), **parts)
        self.database, self.proxies = database, dict[str, Proxy]()
        self.figures: Counter[str] = Counter()
        self.violations: list[str] = []
        self.lost: list[list[check_history.Row]] = []
        self.slots: list[str] = []
        self._errors = {host.name: timedelta(0) for host in hosts}  # of their wall clocks
        self._at, self._since = datetime.fromisoformat(f"{DAYS[0]}T14:20:00Z"), self.clock.monotonic()
        self._needed = 0  # how many of `ends` are accounted for

    def run(self, slots: int, seconds_max: float = float("inf")) -> None:
        """All slots, over as many days as it takes, or as many as fit into so many seconds."""
        began, quiet = self.clock.monotonic(), 0
        failovers = {slots // 3: self._brought_back, 2 * slots // 3: self._accepted} if slots >= 12 else {}
        copies = {number - self.chance.randint(1, 4): number for number in failovers}
        older: Cluster | None = None
        for number in range(slots):
            quiet += number >= slots - QUIET or self.clock.monotonic() - began > seconds_max
            if quiet > QUIET:
                break
            day, of_day = divmod(number, SLOTS_A_DAY)
            opens = datetime.fromisoformat(f"{DAYS[day]}T14:30:00Z")
            if of_day == 0:
                self.begin(opens - timedelta(minutes=2))
            if number in copies:
                older = self._copy()
            at = opens + of_day * STEP
            self.slots.append(at.strftime("%Y-%m-%dT%H:%MZ"))
            if number in failovers and older is not None and not quiet:
                self._rest()
                self._fail_over(older, at, failovers[number])
            else:
                self.slot(at, has_fault=not quiet)
            self._account_for(self.slots[-1])
            if of_day == SLOTS_A_DAY - 1 and number < slots - 1:
                self._close_day(at)
        self._rest()
        self.end()

    # faults

    def draw(self) -> DueFault | None:
        """Any of the faults, on any host; several may overlap."""
        draw, drawn = self.chance.random() * 100, None
        for kind, percent in FAULTS.items():
            draw -= percent
            if draw < 0:
                drawn = kind
                break
        victim = self.victim()
        if drawn is None or any(due.host is victim for due in self.due) or victim.process is None:
            return None
        acts = {
            "kill": self.kill, "pause": self.pause, "partition": self._cut_off, "clock": self._set_clock,
            "crash of the database": self._crash,
        }  # fmt: skip
        self.figures[drawn] += 1
        self.due.append(DueFault(self.clock.monotonic() + self.chance.uniform(0.0, 1.0), victim, acts[drawn]))
        return self.due[-1]

    def pause(self, host: DrillHost) -> None:
        """Longer than the lease, always."""
        host.signal(signal.SIGSTOP)
        self._later(1.1, 3.0, host, lambda one: one.signal(signal.SIGCONT), "paused")

    def _cut_off(self, host: DrillHost) -> None:
        how = self.chance.choice(BREAKS)
        self.figures[f"partition, {how}"] += 1
        self.proxies[host.name].breaks(how)
        self._later(0.3, 3.0, host, lambda one: self.proxies[one.name].mend(), f"cut off ({how})")

    def _set_clock(self, host: DrillHost) -> None:
        hours = self.chance.choice((-1, 1))
        self._errors[host.name] = hours * HOUR
        host.set_wall(self._now() + self._errors[host.name])
        self.happened(f"{host.name}'s clock {hours:+d} h")
        self.due.append(DueFault(self.clock.monotonic() + self.chance.uniform(1.0, 8.0), host, self._clock_right))

    def _clock_right(self, host: DrillHost) -> None:
        self._errors[host.name] = timedelta(0)
        host.set_wall(self._now())

    def _crash(self, _: DrillHost) -> None:
        self.database.stop(signal.SIGQUIT)
        self.database.start()
        self.happened("the database crashed")

    def _later(self, least: float, most: float, host: DrillHost, act: Any, words: str) -> None:
        seconds = self.chance.uniform(least, most) * LEASE_SECONDS
        self.happened(f"{host.name} {words} {seconds:.1f} s")
        self.due.append(DueFault(self.clock.monotonic() + seconds, host, act))

    # an older database

    def _copy(self) -> Cluster:
        """A replica that hears nothing from now on."""
        older, primary = Cluster(), self.database
        primary.run(
            "pg_basebackup", "-D", str(older.data), "-h", "127.0.0.1", "-p", str(primary.port), "-U", "desk",
            "--no-sync", "-c", "fast",
        )  # fmt: skip
        return older

    def _fail_over(self, older: Cluster, at: datetime, way_back: Any) -> None:
        """Let the replica take over: nothing may be sent on it. Then the way back, and the same slot again."""
        newest, sent = self.database, len(self.exchange.orders())
        newest.stop(signal.SIGQUIT)
        self.database = older.start(newest.port)
        began = len(self.ends)
        self.step_to(at)
        running = sum(host.process is not None for host in self.hosts)
        self.until(lambda: len(self.ends) >= began + running, 2 * SLOT_SECONDS)
        refused = [code for _, code in self.ends[began:]]
        self.figures["failovers to an older database"] += 1
        self.figures["sessions that refused it"] += sum(code in A_PERSON for code in refused)
        by_hand = [host.run("run-now").returncode for host in self.hosts]
        if not set(by_hand) <= A_PERSON:
            self.violations.append(f"{at}: run-now on a database that was set back ended with {by_hand}")
        if (now := len(self.exchange.orders())) != sent:
            self.violations.append(f"{at}: {now - sent} orders were sent on a database that was set back")
        self.happened(f"an older database: sessions ended with {refused}, runs by hand with {by_hand}")
        way_back(newest)
        self._needed = len(self.ends)
        self.slot(at, has_fault=False)

    def _brought_back(self, newest: Cluster) -> None:
        """The newer database is there after all. A host that has written to the older one needs a person."""
        self.database.remove()
        self.database = newest.start()
        self._restart_all()
        self._agree("the campaign's primary is back")

    def _accepted(self, newest: Cluster) -> None:
        """It is gone, and a person goes on with the older one."""
        port = self.database.port
        newest.port = 0  # elsewhere, so that what it knew can be looked at afterwards
        newest.start()
        assert newest.port != port
        self.lost.append(check_history.read(newest.url(DATABASE), SCHEMA, None)[0])
        newest.remove()
        self._agree("the campaign's primary is gone")

    def _agree(self, reason: str) -> None:
        """Have a person accept the database on every host that does not go on with it."""
        for attempt in range(5):
            for host in self.hosts:
                if host.process is None:
                    done = host.run("resume", "--reason", reason)
                    if done.returncode not in (0, 5):
                        self.violations.append(f"resume ended with {done.returncode}: {done.stderr}")
            self._restart_all()
            before = len(self.ends)

            def is_refused(before: int = before) -> bool:
                return any(code in A_PERSON for _, code in self.ends[before:])

            if not self.until(is_refused, SLOT_SECONDS):
                self.figures["times that a person had to accept"] += attempt
                return
        self.violations.append("the database was not accepted in five attempts")

    def _restart_all(self) -> None:
        coming = {due.host.name for due in self.due if due.act == self.restart}
        for host in self.hosts:
            if host.process is None and host.name not in coming:
                host.start()

    # the rest

    def step_to(self, at: datetime) -> None:
        at = max(at, self._now() + timedelta(seconds=0.5))  # time never goes back
        self._at, self._since = at, self.clock.monotonic()
        self.exchange.step_to(at)
        for host in self.hosts:
            host.set_wall(at + self._errors[host.name])

    def outcome(self, slot: str) -> str | None:
        try:
            return super().outcome(slot)
        except JournalBroken:  # the database is away
            return None

    def trading(self) -> DrillHost | None:
        try:
            return super().trading()
        except JournalBroken:
            return None

    def line(self, row: DrilledSlot) -> str:
        try:
            return super().line(row)
        except JournalBroken:
            return f"{row.id[11:16]} {', '.join(row.events)}\n"

    def _now(self) -> datetime:
        return self._at + timedelta(seconds=self.clock.monotonic() - self._since)

    def _rest(self) -> None:
        """Let everything that is to happen happen, until both hosts live undisturbed."""
        if not self.until(lambda: not self.due and all(host.process for host in self.hosts), 4 * SLOT_SECONDS):
            self.violations.append(f"no rest: {[host.name for host in self.hosts if host.process is None]} is away")

    def _account_for(self, slot: str) -> None:
        """Nothing but a failover needs a person."""
        for host, code in self.ends[self._needed :]:
            self.figures[f"ended with {code}"] += 1
            if code in A_PERSON or code == 1:
                self.violations.append(f"{slot}: {host} ended with {code}")
                self._restart_all()
        self._needed = len(self.ends)

    def _close_day(self, last: datetime) -> None:
        """The end of the day, and both sessions end."""
        self._rest()
        self.step_to(last + timedelta(minutes=20))
        self.until(lambda: not any(host.process for host in self.hosts), CLOSE_SECONDS)
        left = [host.name for host in self.hosts if host.stop() is not None]
        if left:
            self.violations.append(f"{last}: the sessions of {left} did not end with the day")
        self.due.clear()
        self._account_for(f"the end of {last.date()}")


def run(slots: int, seed: int, folder: Path, seconds_max: float = float("inf")) -> dict[str, Any]:
    """Run a campaign; its figures, and what is wrong."""
    database = Cluster().create()
    url, began = database.database(DATABASE), time.monotonic()
    write_project(folder)
    exchange = SteppedExchange(folder, datetime.fromisoformat(f"{DAYS[0]}T14:20:00Z"))
    proxies = {name: Proxy(database.port) for name in ("alpha", "beta")}
    hosts = [
        DrillHost(name, folder, exchange, database.url(DATABASE, proxy.port), LEASE_SECONDS,
                  module="tests.desk.host_process",
                  environ={"OPENBLAS_NUM_THREADS": "1"})
        for name, proxy in proxies.items()
    ]  # fmt: skip
    course = Campaign(
        seed, folder, database, hosts, place=PostgresPlace(url, SCHEMA), exchange=exchange, say=sys.stderr.write
    )
    course.proxies = proxies
    try:
        try:
            course.run(slots, seconds_max)
        finally:
            course.journal.close()
            for host in hosts:
                host.stop()
            for proxy in proxies.values():
                proxy.close()
        return _judged(course, url, time.monotonic() - began)
    finally:
        exchange.close()
        course.database.remove()


def _judged(course: Campaign, url: str, seconds: float) -> dict[str, Any]:
    rows, orders = check_history.read(url, SCHEMA, course.exchange.url)
    wrong = [*course.violations, *check_history.problems(rows, orders, course.slots, course.lost)]
    file = course.folder / "journal.sqlite"
    check_history.as_file(url, SCHEMA, file)
    seen = evidence_of(course.exchange.url, file)
    wrong += [*laws.broken_laws(seen), *laws.unsettled(seen)]
    direct = DrillHost(
        "judge", course.folder, course.exchange, url, LEASE_SECONDS, module="tests.desk.host_process"
    )  # fmt: skip
    direct.set_wall(datetime.now(UTC))
    for words in (("db", "check"), ("replay", "--all")):
        done = direct.run(*words)
        if done.returncode or (words[0] == "replay" and done.stdout):
            wrong.append(f"{' '.join(words)} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    line = check_history.Branch(rows)
    begun = {name for branch in map(check_history.Branch, [rows, *course.lost]) for name in branch.owners}
    ended = Counter(line.outcomes.get(name, "only in the lost database") for name in course.slots)
    return {
        "slots": len(course.slots), "slots with one owner": sum(name in begun for name in course.slots),
        "outcomes": dict(sorted(ended.items())), "orders": len(orders), "rows": len(rows),
        "takeovers": line.takeovers, "faults": dict(sorted(course.figures.items())), "seconds": round(seconds),
        "wrong": wrong,
    }  # fmt: skip


def main() -> int:
    """Run one campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds-max", type=float, default=float("inf"), help="begin no slot after so many")
    parser.add_argument("--keep", type=Path, help="a new folder, which stays")
    asked = parser.parse_args()
    if asked.keep:
        asked.keep.mkdir(parents=True)
        found = run(asked.slots, asked.seed, asked.keep, asked.seconds_max)
    else:
        with tempfile.TemporaryDirectory(prefix="desk-") as name:
            found = run(asked.slots, asked.seed, Path(name), asked.seconds_max)
    print(json.dumps({"seed": asked.seed, **found}, indent=1))
    return bool(found["wrong"])


if __name__ == "__main__":
    sys.exit(main())
