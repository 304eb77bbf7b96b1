"""The postman: one thread beside the session that delivers alerts and pings the heartbeat. It holds nothing up.

The session only leaves words for it (`beat`); alerts it reads from the journal by itself, through a handle of its own.
It dies with the process: what it has not delivered by then stays in the journal for the next one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from rebalancer.alerts.channel import NotDelivered
from rebalancer.alerts.heartbeat import Heartbeat
from rebalancer.alerts.outbox import Outbox, Pass
from rebalancer.core.errors import ExternalError
from rebalancer.ops.clock import Clock

LOG: Final = logging.getLogger("rebalancer.world.alerts.postman")
POLL_SECONDS: Final = 5.0
BEAT_AGAIN_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 10.0


class DeliveryThread:
    """Delivers until it is closed."""

    def __init__(
        self,
        outbox: Callable[[], AbstractContextManager[Outbox]],
        heartbeat: Heartbeat | None,
        clock: Clock,
        poll_seconds: float = POLL_SECONDS,
        *,
        at_once: bool = True,
    ) -> None:
        """outbox: opened by the thread itself, which alone uses it. at_once: what failed before is tried without
        waiting for its time."""
        self._at_once = at_once
        self._outbox, self._heartbeat, self._clock, self._poll = outbox, heartbeat, clock, poll_seconds
        self._bell, self._ending = threading.Event(), threading.Event()
        self._beat: str | None = None
        self._beat_tries = 0
        self._beat_at = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Begin, with what earlier processes left undelivered."""
        self._thread.start()

    def beat(self, failure: str = "") -> None:
        """Ask for a ping; it takes the place of one that has not been sent yet."""
        with self._lock:
            self._beat, self._beat_tries, self._beat_at = failure, 0, 0.0
        self._bell.set()

    def is_alive(self) -> bool:
        """Whether it is still at work, such as with a server that hangs after `close` has returned."""
        return self._thread.is_alive()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Deliver what can be delivered in this time, and end. A server that hangs is not waited for."""
        self._ending.set()
        self._bell.set()
        if self.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            with self._outbox() as outbox:
                self._work(outbox)
        except ExternalError as error:
            LOG.warning("alerts are not delivered: %s", str(error).partition("\n")[0])
        except Exception as error:  # noqa: BLE001 - its words may hold an address; the session goes on without it
            LOG.error("the postman has stopped: %s", type(error).__name__)

    def _work(self, outbox: Outbox) -> None:
        seen, last, at_once = -1, Pass(), self._at_once
        while True:
            is_last = self._ending.is_set()
            self._bell.clear()
            self._ping()
            try:
                newest = outbox.newest()
                wakes = last.wake_at is not None and self._clock.wall() >= last.wake_at
                if newest != seen or wakes or last.was_locked:
                    last = outbox.deliver(at_once=at_once)
                    at_once = at_once and last.was_locked
                    seen = newest
            except ExternalError as error:
                LOG.warning("alerts wait: %s", str(error).partition("\n")[0])
            if is_last:
                return
            self._bell.wait(self._poll)

    def _ping(self) -> None:
        """Send the newest ping; one that fails is tried once more, and never after the next one has come."""
        with self._lock:
            failure, tries = self._beat, self._beat_tries
            if failure is None or self._heartbeat is None or self._clock.monotonic() < self._beat_at:
                return
            self._beat = None
        try:
            self._heartbeat.beat(failure)
        except NotDelivered as error:
            LOG.warning("the heartbeat was not told: %s", error)
            with self._lock:
                if self._beat is None and tries == 0:
                    self._beat, self._beat_tries = failure, 1
                    self._beat_at = self._clock.monotonic() + BEAT_AGAIN_SECONDS
