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
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.cli.drill_hosts import DrillHost, SteppedExchange, write_project, write_targets
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError, JournalBroken
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
MISSED: Final = frozenset({"MISSED", "SKIPPED_TOO_LATE", "SKIPPED_OVERLAPPING"})


class DrilledSlot(NamedTuple):
    """One slot of the drill: what happened to the hosts in it."""

    id: str
    events: tuple[str, ...]


class DueFault(NamedTuple):
    """What is to happen to a host, and when, on the monotonic clock."""

    at: float
    host: DrillHost
    act: Callable[[DrillHost], None]


class DrillFindings(NamedTuple):
    """What journal and exchange say afterwards. Lists of names; `wrong` is a sentence for each that must be empty."""

    slots: tuple[Mapping[str, Any], ...]
    held: tuple[Mapping[str, Any], ...]
    rows: int
    orders: int
    sent_twice: list[str]
    intents_with_two_orders: list[str]
    not_in_journal: list[str]
    slots_with_two_owners: list[str]
    slots_of_another_holder: list[str]
    slots_without_record: list[str]
    slots_missed: list[str]
    wrong: list[str]


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
        sys.stdout.write(_in_words(found))
    return ExitCode.UNEXPECTED if found.wrong else ExitCode.DONE


class HostDrill:
    """The course of one drill: `rows` are its slots, `ends` how processes ended, as (host, exit code)."""

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

        self._folder, self._exchange, self._hosts, self._chance, self._say = folder, exchange, hosts, chance, say
        self.journal: ReadOnlyJournal = ReadOnlyJournal(place)
        self._clock = SystemClock()
        self._due: list[DueFault] = []
        self._happened: list[str] = []
        self.rows: list[DrilledSlot] = []
        self.ends: list[tuple[str, int]] = []

    def run(self, slots: int) -> None:
        """All slots, the last one without a fault; then both sessions are stopped. Raises ExternalError when no session
        takes the account."""
        self._step_to(OPEN)
        for host in self._hosts:
            host.start()
        self._until(lambda: bool(self._leases()) or len(self.ends) == len(self._hosts), START_SECONDS)
        if not self._leases():
            log = "".join(host.log.read_text() for host in self._hosts)
            raise ExternalError(f"no session took the account: {log[-2000:]}")
        for number in range(slots):
            self._slot(FIRST + number * STEP, has_fault=number < slots - 1)
        self.ends += [(host.name, code) for host in self._hosts if (code := host.stop()) is not None]

    def _slot(self, at: datetime, *, has_fault: bool) -> None:
        name = at.strftime("%Y-%m-%dT%H:%MZ")
        weights = {symbol: self._chance.choice(WEIGHTS) for symbol in SYMBOLS}
        write_targets(self._folder, weights, at - timedelta(minutes=1))
        self._step_to(at)
        drawn = self._draw() if has_fault else None
        self._until(lambda: self._outcome(name) is not None and drawn not in self._due, SLOT_SECONDS)
        row = DrilledSlot(name, tuple(self._happened))
        self._happened.clear()
        self.rows.append(row)
        self._say(_slot_words(self.journal, row))

    def _step_to(self, at: datetime) -> None:
        self._exchange.step_to(at)
        for host in self._hosts:
            host.set_wall(at)

    def _draw(self) -> DueFault | None:
        """Let something happen to a host, more often to the one that trades, now or while it does."""
        kind, at = self._chance.choice(FAULTS), self._clock.monotonic() + self._chance.uniform(0.0, 1.0)
        leases = self._leases()
        trading = next((host for host in self._hosts if leases and host.name == leases[-1]["host"]), self._hosts[0])
        victim = trading if self._chance.random() < 0.75 else self._chance.choice(self._hosts)
        if kind == "none" or any(due.host is victim for due in self._due):
            return None
        self._due.append(DueFault(at, victim, self._kill if kind == "kill" else self._pause))
        return self._due[-1]

    def _kill(self, host: DrillHost) -> None:
        host.signal(signal.SIGKILL)
        self._happened.append(f"{host.name} killed")

    def _pause(self, host: DrillHost) -> None:
        host.signal(signal.SIGSTOP)
        seconds = self._chance.uniform(0.5, 2.5) * LEASE_SECONDS
        self._happened.append(f"{host.name} paused {seconds:.1f} s")
        self._due.append(DueFault(self._clock.monotonic() + seconds, host, lambda one: one.signal(signal.SIGCONT)))

    def _restart(self, host: DrillHost) -> None:
        host.start()
        self._happened.append(f"{host.name} back")

    def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Look after the hosts until something is true, or for so long."""
        end = self._clock.monotonic() + seconds
        while not true():
            if self._clock.monotonic() >= end:
                return False
            self._tend()
            self._clock.wait(0.05)
        return True

    def _tend(self) -> None:
        now = self._clock.monotonic()
        for one in [due for due in self._due if due.at <= now]:
            self._due.remove(one)
            one.act(one.host)
        for host in self._hosts:
            code = host.ended()
            if code is None:
                continue
            self.ends.append((host.name, code))
            if code in AGAIN:
                self._due.append(DueFault(now + self._chance.uniform(0.1, 1.5 * LEASE_SECONDS), host, self._restart))
            else:
                self._happened.append(f"{host.name} ended with {code}")

    def _leases(self) -> tuple[Mapping[str, Any], ...]:
        return leases_of(self.journal) if self.journal.is_created else ()

    def _outcome(self, slot: str) -> str | None:
        return _outcome(self.journal, slot)


def leases_of(journal: ReadOnlyJournal) -> tuple[Mapping[str, Any], ...]:
    """Every taking of the lease: row, token, host and moment."""
    from rebalancer.journal.lease import KIND

    return tuple(
        {"row": e.seq, "token": int(e.key or 0), "host": str(e.body["host"]), "at": e.at.isoformat()}
        for e in journal.events(kind=KIND)
    )


def findings(place: PostgresPlace, orders: Sequence[Mapping[str, Any]], rows: Sequence[DrilledSlot]) -> DrillFindings:
    """Compare the exchange's own list of orders with the journal, slot by slot."""
    from rebalancer.journal import Journal
    from rebalancer.journal.lease import KIND
    from rebalancer.journal.read_only import ReadOnlyJournal

    wrong, verified = [], 0
    try:
        with Journal.open(place, create=False) as journal:
            verified = journal.verify()
    except JournalBroken as error:
        wrong.append(f"the journal is damaged: {error}")
    with closing(ReadOnlyJournal(place)) as reader:
        events, leases = reader.events(), leases_of(reader)
        outcomes = {row.id: _outcome(reader, row.id) for row in rows}
    intents = {e.key: (e.cycle_id, e.body["phase"], e.body["symbol"]) for e in events if e.kind == "order_intended"}
    sent = Counter(str(order["client_order_id"]) for order in orders)
    purposes = Counter(intents[name] for name in sent if name in intents)
    owners: dict[str, list[str]] = {row.id: [] for row in rows}
    strangers, holding = [], ""
    for event in events:
        if event.kind == KIND:
            holding = str(event.body["host"])
        elif event.kind == "cycle_started" and event.cycle_id is not None:
            owner = str(event.body["holder"]).rpartition(":")[0]
            owners.setdefault(event.cycle_id, []).append(owner)
            if owner != holding:
                strangers.append(event.cycle_id)
    listed: list[dict[str, Any]] = []
    traded = Counter(cycle for cycle, _, _ in (intents[name] for name in sent if name in intents))
    for row in rows:
        outcome = outcomes[row.id]
        listed.append(
            {"slot": row.id, "owners": owners[row.id], "outcome": outcome, "orders": traded[row.id],
             "events": list(row.events)}
        )  # fmt: skip
    lists: dict[str, list[str]] = {
        "sent_twice": [name for name, count in sent.items() if count > 1],
        "intents_with_two_orders": [" ".join(map(str, purpose)) for purpose, count in purposes.items() if count > 1],
        "not_in_journal": [name for name in sent if name not in intents],
        "slots_with_two_owners": [name for name, found in owners.items() if len(found) > 1],
        "slots_of_another_holder": strangers,
        "slots_without_record": [one["slot"] for one in listed if one["outcome"] is None],
    }
    words = {
        "sent_twice": "order stands twice at the exchange",
        "intents_with_two_orders": "intent has two orders",
        "not_in_journal": "order is not in the journal",
        "slots_with_two_owners": "slot has two owners",
        "slots_of_another_holder": "slot was begun by a host without the lease",
        "slots_without_record": "slot has neither an owner nor a recorded miss",
    }
    wrong += [f"{words[name]}: {one}" for name, found in lists.items() for one in found]
    missed = [one["slot"] for one in listed if one["outcome"] in MISSED]
    return DrillFindings(
        tuple(listed), leases, verified, len(orders), slots_missed=missed, wrong=wrong, **lists
    )  # fmt: skip


def _outcome(journal: ReadOnlyJournal, slot: str) -> str | None:
    newest = journal.latest_events(1)
    found = journal.slots(newest[0].account_id, [slot]).get(slot) if newest else None
    return None if found is None or found[1] is None else str(found[1])


def _slot_words(journal: ReadOnlyJournal, row: DrilledSlot) -> str:
    """One line of at most 80 columns, unless much happened."""
    started = next((e for e in reversed(journal.events(kind="cycle_started")) if e.cycle_id == row.id), None)
    token = host = ""
    if started is not None:
        host = str(started.body["holder"]).rpartition(":")[0]
        token = str(max((one["token"] for one in leases_of(journal) if one["row"] < started.seq), default=""))
    orders = len(journal.orders_of(row.id))
    ended = _outcome(journal, row.id) or "not yet"
    return f"{row.id[11:16]:<6} {token:>5}  {host:<6} {orders:>6}  {ended:<12} {', '.join(row.events)}".rstrip() + "\n"


def _in_words(found: DrillFindings) -> str:
    lines = [
        "",
        f"slots     {len(found.slots)}: two owners {len(found.slots_with_two_owners)}, "
        f"begun without the lease {len(found.slots_of_another_holder)},",
        f"          without a record {len(found.slots_without_record)}, recorded as missed {len(found.slots_missed)}",
        f"orders    {found.orders} at the exchange: twice {len(found.sent_twice)}, "
        f"not in the journal {len(found.not_in_journal)},",
        f"          two for one intent {len(found.intents_with_two_orders)}",
        f"lease     taken {len(found.held)} times",
        f"journal   {found.rows} rows, {'chain intact' if found.rows else 'damaged'}",
        *(f"wrong: {one}" for one in found.wrong),
        "" if found.wrong else "nothing is wrong",
    ]
    return "\n".join(lines).rstrip() + "\n"


def _said(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _silent(_: str) -> None:
    """JSON is one document."""
