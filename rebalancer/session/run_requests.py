"""Extra cycles that somebody asks for over HTTP: each restricted to the symbols in question, under every cap and
budget, recorded as a run by hand; it takes no slot.

Requests are rows of the inbox. A thread looks whether the inbox has changed and wakes the session; the session itself
reads them, between its slots. What is not taken within seconds is forgotten, and its signal is read by the next cycle.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import BrokerUnavailable, LockHeld, SignalsUnavailable
from rebalancer.core.rules import Rules
from rebalancer.ops.clock import Clock
from rebalancer.session.stop import Bell
from rebalancer.signals.receipts.inbox import SignalInbox

LOG: Final = logging.getLogger(__name__)
LOOK_SECONDS: Final = 0.2
_WAIT_SECONDS: Final = 0.5  # for a process that is inserting


class RunRequests:
    """The requests of one state folder. run: runs one extra cycle of these symbols; clock: the machine's."""

    def __init__(self, inbox: Path, run: Callable[[Sequence[str]], str], clock: Clock) -> None:
        self._inbox, self._run, self._clock = inbox, run, clock
        self._done, self._seen = 0, _stamp(inbox)
        self._ending = threading.Event()

    @contextmanager
    def listening(self, bell: Bell) -> Iterator[None]:
        """Ring the bell whenever the inbox changes, while the block runs."""
        thread = threading.Thread(target=self._listen, args=(bell,), name="run-requests", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join(5)

    def serve(self) -> None:
        """Run what is asked for, all symbols in one cycle. Returns at once when the inbox has not changed. A broker
        that does not answer, a lock that is held and input that cannot be read are logged: the signals stay."""
        seen = _stamp(self._inbox)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            with SignalInbox.open(self._inbox, _WAIT_SECONDS) as inserted:
                asked = inserted.run_requests(self._done, self._clock.wall())
            if not asked:
                return
            self._done = asked[-1].n
            symbols = sorted({request.symbol for request in asked})
            LOG.info("extra cycle of %s: %s", ", ".join(symbols), self._run(symbols))
        except (SignalsUnavailable, BrokerUnavailable, LockHeld, BadDocument) as error:
            LOG.warning("extra cycle: %s", str(error).partition("\n")[0])

    def _listen(self, bell: Bell) -> None:
        rung = self._seen
        while not self._ending.wait(LOOK_SECONDS):
            now = _stamp(self._inbox)
            if now != rung:
                rung = now
                bell.ring()


def restricted(rules: Rules, symbols: Sequence[str]) -> Rules:
    """The rules of an extra cycle: these symbols alone, of those that the configuration allows."""
    allowed = rules.selection.only
    only = [symbol for symbol in symbols if not allowed or symbol in allowed]
    if not only:
        raise BadDocument("selection.only", f"does not allow {', '.join(symbols)}", "")
    return rules.model_copy(update={"selection": rules.selection.model_copy(update={"only": only})})


def _stamp(path: Path) -> tuple[tuple[int, int], ...]:
    """What changes with every insertion: time and size of the file and of its write-ahead log."""
    found = []
    for place in (path, path.with_name(path.name + "-wal")):
        try:
            seen = os.stat(place)
        except OSError:
            continue
        found.append((seen.st_mtime_ns, seen.st_size))
    return tuple(found)
