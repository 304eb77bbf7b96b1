"""Processor time of a session that waits: `python benchmarks/session_idle.py` measures between two cycles.

A real `rebalancer session` in real time, on an exchange in another process. Its cycle at 15:05 buys; from half a minute
later until half a minute before 15:10 its user and system seconds are read from the kernel. Meanwhile it holds stocks,
so the position monitor looks at their prices every `protection.poll_seconds`, and the scheduler and the postman run.
Takes five minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event

SERVER = """
import sys
from datetime import UTC, datetime
from rebalancer.exchange.starter import ExchangeOptions, start_exchange
options = ExchangeOptions(rate_limit_per_minute=0, start=datetime(2026, 11, 20, 15, 4, 50, tzinfo=UTC))
with start_exchange(options) as running:
    print(running.url, flush=True)
    for _ in sys.stdin:
        print(len(running.request_log), flush=True)
"""
SETTLED_SECONDS, WINDOW_SECONDS = 40.0, 240.0


def used(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Its resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def asked(server: subprocess.Popen[str]) -> int:
    """The requests that the exchange has got so far."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def main() -> None:
    """Start both processes, wait, and print one line of JSON."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as folder:
        environ = dict(os.environ) | {
            "XDG_STATE_HOME": folder, "APCA_API_BASE_URL": url, "APCA_API_DATA_URL": url, "NO_PROXY": "127.0.0.1",
            "APCA_API_KEY_ID": "PKBENCH", "APCA_API_SECRET_KEY": "secret", "REBALANCER_LOG": "human",
            "REBALANCER__SIGNALS__SAMPLE": "always", "REBALANCER__REPORTING__DIRECTORY": f"{folder}/reports",
        }  # fmt: skip
        session = subprocess.Popen([sys.executable, "-m", "rebalancer", "session"], env=environ)
        wait = Event().wait
        wait(SETTLED_SECONDS)
        began, before = used(session.pid), asked(server)
        wait(WINDOW_SECONDS)
        assert session.poll() is None, "the session has ended: nothing was measured"
        spent, requests = used(session.pid) - began, asked(server) - before
        line = {
            "idle_seconds": WINDOW_SECONDS, "processor_seconds": round(spent, 2),
            "percent_of_a_core": round(100 * spent / WINDOW_SECONDS, 2), "requests": requests,
            "resident_mb": round(resident(session.pid), 1),
        }  # fmt: skip
        session.terminate()
        session.wait(60)
    server.communicate()
    print(json.dumps(line))


if __name__ == "__main__":
    main()
