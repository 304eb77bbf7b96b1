"""Processor time of a simulated day, by part: `python -m benchmarks.session_day`, in a fresh state.

The real command, `rebalancer session --speed 100000 --day 2026-11-20`, in this process: exchange, cycles, position
monitor, the end of the day with its pages, and the process that measures parity. Seconds of all threads and of the
child process; a part's `process` seconds contain what the exchange and the reading threads did meanwhile.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

DAY = "2026-11-20"
SPEED = 100_000.0
PARTS = ("prepare", "cycle", "look", "end_of_day")


class Part:
    """How often a part ran, and its seconds in its own thread and in all."""

    def __init__(self) -> None:
        self.calls, self.own, self.process = 0, 0.0, 0.0

    def timed(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        @wraps(act)
        def run(*args: Any, **kwargs: Any) -> Any:
            own, whole = time.thread_time(), time.process_time()
            try:
                return act(*args, **kwargs)
            finally:
                self.calls += 1
                self.own += time.thread_time() - own
                self.process += time.process_time() - whole

        return run


def measure() -> dict[str, Any]:
    """Play the day; returns the table."""
    began = time.process_time()
    from rebalancer.cli.session import run_trading_day
    from rebalancer.exchange.starter import RunningExchange
    from rebalancer.session import start
    from rebalancer.session.work import SessionWork

    parts = {name: Part() for name in (*PARTS, "exchange thread", "session")}
    for name in PARTS:
        setattr(SessionWork, name, parts[name].timed(getattr(SessionWork, name)))
    RunningExchange._serve = parts["exchange thread"].timed(RunningExchange._serve)  # type: ignore[method-assign]
    start.run_session = parts["session"].timed(start.run_session)
    asked = Counter[str]()
    stop = RunningExchange.stop

    def stopped(running: RunningExchange) -> None:
        asked.update(f"{method} {path}" for method, path in running.request_log)
        running.request_log.clear()
        stop(running)

    RunningExchange.stop = stopped  # type: ignore[method-assign]
    code = run_trading_day(None, speed=SPEED, day=DAY)
    assert code == 0, code
    spent, children = time.process_time() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    child = children.ru_utime + children.ru_stime
    rows = {
        name: {"calls": part.calls, "own": round(part.own, 2), "process": round(part.process, 2)}
        for name, part in parts.items()
    }
    return {
        "seconds": round(spent + child, 2), "this_process": round(spent, 2), "parity_process": round(child, 2),
        "start": round(spent - parts["session"].process, 2), "main_thread": round(time.thread_time(), 2),
        "parts": rows, "requests": asked.total(),
        "most_asked": dict(asked.most_common(6)),
    }  # fmt: skip


def main() -> None:
    """Print one document of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "XDG_STATE_HOME": folder, "NO_PROXY": "127.0.0.1", "REBALANCER_LOG": "human",
            "REBALANCER__REPORTING__DIRECTORY": f"{folder}/reports",
        }  # fmt: skip
        found = measure()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
