"""Ten thousand signals over HTTP: throughput, latency, and the fate of each.

    python benchmarks/web_signals.py [--signals 10000] [--rows 1] [--connections 8]

A server of its own in a folder of its own; each request has `rows` signals. At the end a cycle runs, and every receipt
must have an outcome.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import requests

from rebalancer.signals.receipts.queries import figures, totals
from rebalancer.signals.receipts.store import ReceiptStore
from tests.web.conftest import command, project_in, start

SYMBOLS = ("AAPL", "MSFT", "NVDA", "KO", "PG", "XOM", "CVX", "JPM")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--signals", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--connections", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = project_in(folder)
        server = start(folder, state)
        seconds: list[float] = []
        calls = asked.signals // asked.rows // asked.connections

        def send(number: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {server.tokens['signals']}"
                for call in range(calls):
                    rows = [
                        {"symbol": SYMBOLS[(call + i) % 8], "score": 0.5, "confidence": 0.9,
                         "id": f"s-{number}-{call}-{i}"}
                        for i in range(asked.rows)
                    ]  # fmt: skip
                    begun = time.perf_counter()
                    answer = session.post(f"{server.url}/api/v1/signals", json=rows, timeout=60)
                    seconds.append(time.perf_counter() - begun)
                    assert answer.status_code == 200, answer.text
                    assert all(receipt["problem"] is None for receipt in answer.json()["receipts"])

        threads = [threading.Thread(target=send, args=(n,)) for n in range(asked.connections)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begun
        sent = calls * asked.rows * asked.connections
        seconds.sort()
        print(
            f"{sent} signals in {took:.1f} s: {sent / took:,.0f} a second; a request of {asked.rows}: "
            f"median {seconds[len(seconds) // 2] * 1000:.1f} ms, p99 {seconds[int(len(seconds) * 0.99)] * 1000:.1f} ms"
        )
        assert server.stop() == 0
        done = command(folder, "run-now")
        assert done.returncode in (0, 4), done.stderr
        with ReceiptStore.open(state / "signals.sqlite", 5) as receipts:
            whole = totals(figures(receipts))
        print(f"receipts {whole.received}: {dict(Counter(whole.outcomes))}")


if __name__ == "__main__":
    main()
