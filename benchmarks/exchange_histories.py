"""How fast the embedded exchange is over a long random history, and that its laws hold.

python -m benchmarks.exchange_histories 100000
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.exchange.histories import History, check_laws


def main(events: int, seed: int = 11) -> None:
    """Run and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.db"
        history = History(state, seed, 2)
        began = time.perf_counter()
        history.run(events, check_every=max(events // 10, 1))
        seconds = time.perf_counter() - began
        check_laws(history.exchange)
        began = time.perf_counter()
        history.restart()
        restart = time.perf_counter() - began
        size = state.stat().st_size / 1e6
        fills = sum(1 for row in history.exchange.store.cash_flows())
        orders = history.exchange.store.last_order_seq()
        history.exchange.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{events} events in {seconds:.1f} s: {seconds / events * 1e3:.2f} ms an event, all laws checked 10 times")
    print(f"{orders} orders, {fills} other activities, state file {size:.0f} MB, memory {memory:.0f} MB")
    print(f"restart with comparison of the whole state {restart * 1e3:.0f} ms")
    for name, count in sorted(history.happened.items()):
        print(f"{count:8}  {name}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
