"""`desk drill`: two hosts, one account, one database; hosts are killed and paused; the journal says who traded when.

Everything is real and on this machine: an embedded exchange of its own, two state folders, processes of `run-now`, and
PostgreSQL. The database must hold no journal of paper trading, since the drill writes one.
"""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - faults, not decisions
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.ops.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.journal.place import PostgresPlace

LEASE_SECONDS: Final = 4
HOSTS: Final = ("alpha", "beta")
FAULTS: Final = ("none", "none", "kill", "pause")
_LISTENS: Final = re.compile(r"http://[\d.:]+\d")


class Run(NamedTuple):
    """One process of one host: how it was treated, and how it ended."""

    host: str
    fault: str
    code: int


class DrillHost:
    """A host: its own state folder and environment."""

    def __init__(self, name: str, folder: Path, url: str, exchange: str) -> None:
        self.name, self.folder = name, folder / name
        for part in ("state", "run", "config"):
            (self.folder / part).mkdir(parents=True, mode=0o700)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("APCA_", "REBALANCER_"))}
        self.environ = kept | {
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "REBALANCER_HOST_NAME": name,
            "REBALANCER__JOURNAL__URL": url,
            "REBALANCER__JOURNAL__LEASE_SECONDS": str(LEASE_SECONDS),
            "REBALANCER__REPORTING__DIRECTORY": str(self.folder / "reports"),
            "APCA_API_BASE_URL": exchange,
            "APCA_API_KEY_ID": "PKDRILL",
            "APCA_API_SECRET_KEY": "embedded-exchange",
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.fault, self.until = "none", 0.0

    def begin(self, fault: str, at: float) -> None:
        """Start a cycle that will meet this fault so many seconds from now."""
        self.fault, self.until = fault, at
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rebalancer", "run-now", "--json"], env=self.environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def run_drill(url: str, *, runs: int, seed: int, as_json: bool) -> int:
    """Drill, and print who held the account when. Exit code 0 when every cycle had one owner and no order was sent
    twice, else 1."""
    from rebalancer.journal.place import PostgresPlace, schema_name
    from rebalancer.journal.read_only import exists

    place = PostgresPlace(url, schema_name("paper", ""))
    if exists(place):
        hint = "name an empty database, such as one made by createdb"
        raise BadDocument(str(place), "holds a journal already", hint)
    with tempfile.TemporaryDirectory(prefix="rebalancer-drill-") as name, _exchange(Path(name)) as exchange:
        hosts = [DrillHost(host, Path(name), url, exchange) for host in HOSTS]
        done = _drilled(hosts, runs, random.Random(seed))  # noqa: S311 - faults, not secrets
        found = _found(place, exchange, done)
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if as_json else _in_words(found))
    return ExitCode.DONE if found["owners_per_cycle_most"] <= 1 and not found["orders_twice"] else ExitCode.UNEXPECTED


@contextmanager
def _exchange(folder: Path) -> Iterator[str]:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "rebalancer", "exchange", "serve", "--port", "0", "--state", str(folder / "x.sqlite")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        found = _LISTENS.search(process.stdout.readline())
        assert found is not None, "the embedded exchange did not start"
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _drilled(hosts: Sequence[DrillHost], runs: int, chance: random.Random) -> list[Run]:
    """Let each host run cycle after cycle; the fault of a run comes at a moment of its own."""
    clock, done = SystemClock(), list[Run]()
    left = runs
    while left or any(host.process for host in hosts):
        for host in hosts:
            now = clock.monotonic()
            if host.process is None:
                if left:
                    left -= 1
                    host.begin(chance.choice(FAULTS), now + chance.uniform(0.5, 4.0))
                continue
            code = host.process.poll()
            if code is not None:
                done.append(Run(host.name, host.fault, code))
                host.process = None
            elif host.fault == "kill" and now >= host.until:
                host.process.send_signal(signal.SIGKILL)
            elif host.fault == "pause" and now >= host.until:
                host.process.send_signal(signal.SIGSTOP)
                host.fault, host.until = "paused", now + chance.uniform(1.0, 3.0) * LEASE_SECONDS
            elif host.fault == "paused" and now >= host.until:
                host.process.send_signal(signal.SIGCONT)
                host.fault = "went on"
        clock.wait(0.05)
    return done


def _found(place: PostgresPlace, exchange: str, done: Sequence[Run]) -> dict[str, Any]:
    """What journal and exchange say afterwards."""
    import requests

    from rebalancer.journal import Journal
    from rebalancer.journal.lease import KIND

    keys = {"APCA-API-KEY-ID": "PKDRILL", "APCA-API-SECRET-KEY": "embedded-exchange"}
    query = {"status": "all", "limit": "500"}
    orders = requests.get(f"{exchange}/v2/orders", params=query, headers=keys, timeout=30).json()
    sent = Counter(order["client_order_id"] for order in orders)
    with Journal.open(place, create=False) as journal:
        rows = journal.verify()
        events = journal.events()
        known = {event.key for event in events if event.kind == "order_intended"}
    owners: dict[str, set[str]] = {}
    held, wrong, host = [], 0, ""
    for event in events:
        if event.kind == KIND:
            host = str(event.body["host"])
            held.append({"row": event.seq, "token": int(event.key or 0), "host": host, "at": event.at.isoformat()})
        elif event.kind == "cycle_started":
            mine = str(event.body["holder"]).rpartition(":")[0]
            owners.setdefault(event.cycle_id or "", set()).add(mine)
            wrong += mine != host
    return {
        "schema": "rebalancer.drill/1",
        "rows": rows,
        "runs": [run._asdict() for run in done],
        "held": held,
        "cycles": len(owners),
        "owners_per_cycle_most": max((len(names) for names in owners.values()), default=0),
        "cycles_of_another_holder": wrong,
        "orders": sum(sent.values()),
        "orders_twice": sum(count > 1 for count in sent.values()),
        "orders_without_intent": sum(name not in known for name in sent),
    }


def _in_words(found: dict[str, Any]) -> str:
    lines = ["who held the account"]
    lines += [
        f"  token {row['token']:>3}  {row['host']:<8} from row {row['row']}, {row['at']}" for row in found["held"]
    ]
    ends = Counter(f"{run['host']}, {run['fault']}: exit {run['code']}" for run in found["runs"])
    lines += ["how the runs ended", *(f"  {count:>3} x {words}" for words, count in sorted(ends.items()))]
    lines += [
        f"journal            {found['rows']} rows, chain intact",
        f"cycles             {found['cycles']}, owners of one at most {found['owners_per_cycle_most']}, "
        f"begun by another than the holder: {found['cycles_of_another_holder']}",
        f"orders             {found['orders']} at the exchange, twice: {found['orders_twice']}, "
        f"without an intent: {found['orders_without_intent']}",
    ]
    return "\n".join(lines) + "\n"
