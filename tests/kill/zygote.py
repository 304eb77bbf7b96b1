"""A process that has imported everything and forks one real `rebalancer run-now` per line it is told.

Each line is the number of the boundary at which the child signals itself, 0 for never, the signal, and how many times
it is sent. Boundaries stand before and after every write of the journal and every call of the broker. They are put
there from outside: the program itself knows nothing of them. Answers one line: the child's exit status, or minus the
signal that ended it, the number of boundaries it passed, and the orders that the broker may have: when the signal had
been heard, and at the end.
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
from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.protocol import SendResult
from rebalancer.cli.main import main
from rebalancer.journal import Journal
from rebalancer.session.stop import Stop

WRITES = (
    "begin_cycle", "record_plan", "record_intents", "record_order", "record_orders", "record_event", "record_events",
    "close_cycle",
)  # fmt: skip
CALLS = ("account", "positions", "orders", "quotes", "find_order", "activities", "submit", "submit_pair", "cancel")
ATTEMPTS = 6000  # to be heard, of a tenth of a second


class Boundaries:
    """Counts, and signals this process at one of them."""

    def __init__(self, deadly: int, number: int, times: int, told: int) -> None:
        self._deadly, self._number, self._times, self._told = deadly, number, times, told
        self._count, self._lock = 0, threading.Lock()
        self._posts, self._heard = 0, threading.Event()

    def pass_one(self) -> None:
        with self._lock:  # orders leave from many threads, and each boundary has a number of its own
            self._count += 1
            number = self._count
            self._tell(0, number)
        if number == self._deadly:
            for _ in range(self._times):
                self._heard.clear()
                os.kill(os.getpid(), self._number)
                self._is_heard()
            self._tell(1, self._posts)

    def _is_heard(self) -> None:
        """Wait until the main thread, whichever this one is, has heard the signal. Python does not hear one that comes
        just before the main thread waits for a lock, so something wakes it."""
        for _ in range(ATTEMPTS):
            if self._heard.wait(0.1):
                return
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
        raise TimeoutError("no signal was heard")

    def _tell(self, place: int, value: int) -> None:
        os.pwrite(self._told, b"%10d" % value, 10 * place)

    def listen(self) -> None:
        """Note when the program has heard the signal, and the orders that it hands over."""
        hear, submit = Stop._heard, AlpacaBroker.submit

        def heard(*args: Any) -> None:
            hear(*args)
            self._heard.set()

        def submitted(*args: Any, **kwargs: Any) -> SendResult:
            result = submit(*args, **kwargs)
            if result.kind != "not_sent":
                self._posts += 1
                self._tell(2, self._posts)
            return result

        for owner, name, call in ((Stop, "_heard", heard), (AlpacaBroker, "submit", submitted)):
            setattr(owner, name, call)

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


def run(words: list[str], told: int) -> None:
    """The child: one `rebalancer run-now`."""
    deadly, number, times = map(int, words)
    boundaries = Boundaries(deadly, number, times, told)
    boundaries.listen()
    boundaries.put_around(Journal, WRITES)
    boundaries.put_around(AlpacaBroker, CALLS)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    sys.argv = ["rebalancer", "run-now"]
    main()


def serve() -> None:
    """Fork one child a line."""
    for line in sys.stdin:
        told = os.memfd_create("boundaries")
        os.pwrite(told, b"%10d%10d%10d" % (0, 0, 0), 0)
        child = os.fork()
        if child == 0:
            run(line.split(), told)
            os._exit(99)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), *os.pread(told, 30, 0).decode().split(), flush=True)
        os.close(told)


if __name__ == "__main__":
    serve()
