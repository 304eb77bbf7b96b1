"""A process that has imported everything and forks one real `rebalancer run-now` per line it is told.

Each line is the number of the boundary at which the child kills itself with SIGKILL, 0 for never. Boundaries stand
before and after every write of the journal and every call of the broker. They are put there from outside: the program
itself knows nothing of them. Answers one line: the child's exit status, or minus the signal that ended it, and the
number of boundaries it passed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import rebalancer.cli.run
import rebalancer.report.files
import rebalancer.report.text
import rebalancer.session.execute  # noqa: F401  imported before the fork, so that each run starts at once
from rebalancer.cli.main import main
from rebalancer.world.brokers import AlpacaBroker
from rebalancer.world.journal import Journal

WRITES = (
    "begin_cycle", "record_plan", "record_intents", "record_order", "record_event", "record_events", "close_cycle",
)  # fmt: skip
CALLS = ("account", "positions", "orders", "quotes", "find_order", "activities", "submit", "cancel")


class Boundaries:
    """Counts, and kills this process at one of them."""

    def __init__(self, deadly: int, told: int) -> None:
        self._deadly, self._told, self._count, self._lock = deadly, told, 0, threading.Lock()

    def pass_one(self) -> None:
        with self._lock:  # orders leave from many threads, and each boundary has a number of its own
            self._count += 1
            number = self._count
            os.pwrite(self._told, b"%10d" % number, 0)
        if number == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def put_around(self, owner: Any, names: tuple[str, ...]) -> None:
        for name in names:
            setattr(owner, name, self._bounded(getattr(owner, name)))

    def _bounded(self, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.pass_one()
            answer = real(*args, **kwargs)
            self.pass_one()
            return answer

        return call


def run(deadly: int, told: int) -> None:
    """The child: one `rebalancer run-now`."""
    boundaries = Boundaries(deadly, told)
    boundaries.put_around(Journal, WRITES)
    boundaries.put_around(AlpacaBroker, CALLS)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    sys.argv = ["rebalancer", "run-now"]
    main()


def serve() -> None:
    """Fork one child a line."""
    for line in sys.stdin:
        told = os.memfd_create("boundaries")
        os.pwrite(told, b"%10d" % 0, 0)
        child = os.fork()
        if child == 0:
            run(int(line), told)
            os._exit(99)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), int(os.pread(told, 10, 0)), flush=True)
        os.close(told)


if __name__ == "__main__":
    serve()
