"""Time a two-phase batch of 20 orders: `python benchmarks/two_phase.py` prints wall time and calls, cold and warm.

The embedded exchange, in a process of its own, answers every call 0.2 s late, as a distant broker does; everything else
is what `run-now` does: real HTTP, alpaca-py, the journal on disk, intents before orders, both phases to their ends.
Ten names are bought (cold: libraries are loaded and the day's reference data is read), then all ten are sold and ten
others bought (warm). `traded` is the time from the start until the last order has ended; `seconds` includes the look at
the account afterwards. Target: 1.3 s. Floor: 1.12 s, five calls that must follow each other (the reads, the first sell,
the others, the first buy, the others) and, twice, the 0.06 s after which a phase is looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.factory import Connection
from rebalancer.exchange.market.listing import listings
from rebalancer.session.execute import execute
from rebalancer.session.setup import Setup
from rebalancer.settings.load import load_rules

LATENCY_SECONDS = 0.2
ROUNDS = 3
ISSUED = "2026-11-20T15:05:00Z"  # when the exchange's clock begins
SERVER = """
import sys
from pathlib import Path
from rebalancer.exchange.starter import ExchangeOptions, start_exchange
options = ExchangeOptions(state=Path(sys.argv[1]), rate_limit_per_minute=0, latency_seconds=float(sys.argv[2]))
with start_exchange(options) as running:
    print(running.url, flush=True)
    sys.stdin.read()
"""
RULES = """
execution: {max_orders_per_execution: 40}
position_sizing: {base_position_size: 0.03}
risk_management: {max_sector_exposure: 1.0, max_correlation_exposure: 1.0, max_orders_per_day: 1000,
                  max_orders_per_symbol_per_day: 100}
signals: {path: opinions, sample: never}
gate: {duplicate_window_seconds: 0.01, max_orders_per_minute: 1000}
broker: {requests_per_minute: 6000}
"""


def main() -> None:
    """Print one line a run."""
    names = sorted(s for s, row in listings().items() if row.tradable and row.level < 500 and "/" not in s)
    first, second = names[:10], names[10:20]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        setup = make_setup(root)
        with exchange(root / "exchange.sqlite") as url:
            print(f"{'run':6}{'orders':>8}{'filled':>8}{'traded':>8}{'seconds':>9}   calls; seconds a step")
            timed("cold", setup, url, first, second)
            for _ in range(ROUNDS):
                timed("warm", setup, url, second, first)
                first, second = second, first


@contextmanager
def exchange(state: Path) -> Iterator[str]:
    """An exchange in another process; its address."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER, str(state), str(LATENCY_SECONDS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()  # it ends when nobody is there any more


def timed(name: str, setup: Setup, url: str, buy: list[str], sell: list[str]) -> None:
    """One run, measured from outside."""
    rows = [(s, 1.0) for s in buy] + [(s, 0.0) for s in sell]
    opinions = [{"symbol": s, "score": score, "confidence": 1.0, "issued_at": ISSUED} for s, score in rows]
    (setup.root / "opinions" / "all.json").write_text(json.dumps(opinions))
    connection = Connection(Credentials("bench", "bench"), Endpoints(url))
    began = perf_counter()
    record = execute(setup, connection, dry_run=False)
    seconds = perf_counter() - began
    traded = sum(t.seconds for t in record.timings if t.step != "look_after")
    filled = sum(1 for line in record.orders if line.filled_qty == line.planned_qty)
    steps = ", ".join(f"{t.step} {t.seconds:.2f}" for t in record.timings if t.seconds >= 0.01)
    reads = sum(count for call, count in record.broker_calls.items() if call != "submit")
    said = f"{reads} reads, {record.broker_calls.get('submit', 0)} posts"
    print(f"{name:6}{len(record.orders):8}{filled:8}{traded:8.2f}{seconds:9.2f}   {said}; {steps}")


def make_setup(root: Path) -> Setup:
    """A configured rebalancer in an empty folder."""
    (root / "opinions").mkdir()
    (root / "config").mkdir()
    (root / "config" / "sectors.csv").write_text("symbol,sector,source,as_of\nAAPL,Technology,bench,2026-11-01\n")
    config = root / "execution.yaml"
    config.write_text(RULES)
    state = root / "state"
    state.mkdir()
    return Setup(root, load_rules([config], {}), "simulated", state, {})


if __name__ == "__main__":
    main()
