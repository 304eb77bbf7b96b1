"""Memory of a session's process, day after day: `python benchmarks/session_memory.py --days 21` prints one line a day.

The exchange runs in a process of its own, so that only the session is measured: real HTTP, alpaca-py, the journal on
disk, every cycle, the position monitor, the end of each day with its pages. Cycles run in real time, the waits between
them do not. A real session runs one day and ends: the first line is its memory, and the rest shows whether anything
grows. `--trace` also prints where the growth since the third day was allocated (slower, and it needs memory itself).
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import IO

SERVER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from rebalancer.exchange.starter import ExchangeOptions, start_exchange
options = ExchangeOptions(
    state=Path(sys.argv[1]), rate_limit_per_minute=0, start=datetime(2026, 10, 30, 23, 0, tzinfo=UTC)
)
with start_exchange(options) as running:
    print(running.url, flush=True)
    for line in sys.stdin:
        running.clock.advance(float(line))
        print(running.clock.micros(), flush=True)
"""
RULES = {"signals": {"sample": "always"}, "protection": {"poll_seconds": 60}}
NIGHT_SECONDS = 6 * 3600.0  # steps in which the market's nights are passed over


class Exchange:
    """The exchange's process: its address, and its clock as the session steps it."""

    def __init__(self, url: str, told: IO[str], says: IO[str]) -> None:
        self.url, self._told, self._says = url, told, says

    def advance(self, seconds: float) -> None:
        """Step the exchange's clock forward."""
        self._told.write(f"{seconds}\n")
        self._told.flush()
        self._says.readline()


@contextmanager
def exchange(state: Path) -> Iterator[Exchange]:
    """An exchange in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Exchange(process.stdout.readline().strip(), process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def resident() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def kinds() -> Counter[str]:
    """How many objects of each type the collector knows."""
    gc.collect()
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def run(days: int, *, trace: bool) -> None:
    """Run one session after the other in this process."""
    from rebalancer.brokers.endpoints import Credentials, Endpoints
    from rebalancer.brokers.factory import Connection
    from rebalancer.core.rules import Rules
    from rebalancer.ops.notify import Notify
    from rebalancer.session.setup import Setup
    from rebalancer.session.start import run_session
    from rebalancer.session.stop import Stop
    from rebalancer.settings.load import load_rules

    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, exchange(Path(folder) / "exchange.sqlite") as served:
        state = Path(folder) / "state"
        state.mkdir()
        root = Path(__file__).parents[1]
        told = RULES | {"reporting": {"directory": f"{folder}/reports"}}
        loaded = load_rules([], {})._replace(rules=Rules.model_validate(told))
        setup = Setup(root, loaded, "paper", state, {})
        connection = Connection(Credentials("PKBENCH", "secret"), Endpoints(served.url, served.url))
        before, first = Counter[str](), None
        done = 0
        while done < days:
            began = perf_counter()
            stop = Stop()
            said = run_session(setup, connection, stop, Notify(None), exchange=served, speed=100_000.0)
            stop.bell.close()
            if not said.endswith("is closed"):
                served.advance(NIGHT_SECONDS)
                continue
            done += 1
            served.advance(NIGHT_SECONDS + 5 * 3600)  # past midnight, also after a half day
            now = kinds()
            line = {
                "day": done, "said": said, "resident_mb": round(resident(), 1), "objects": now.total(),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
                "seconds": round(perf_counter() - began, 1),
            }  # fmt: skip
            print(json.dumps(line), flush=True)
            if done == min(3, days):
                before = now
                if trace:
                    tracemalloc.start(12)
                    first = tracemalloc.take_snapshot()
        print(json.dumps({"grown_objects": dict((kinds() - before).most_common(12))}))
        if first is not None:
            for stat in tracemalloc.take_snapshot().compare_to(first, "traceback")[:8]:
                print(
                    f"{stat.size_diff / 1e6:+.2f} MB in {stat.count_diff:+d} blocks", *stat.traceback.format(), sep="\n"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    run(given.days, trace=given.trace)
