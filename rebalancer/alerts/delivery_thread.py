"""A background thread of the session that delivers alerts and pings the heartbeat, without blocking trading.

The session only requests pings (`beat`); the thread reads alerts from the journal itself, through its own handle. It
ends with the process: undelivered alerts stay in the journal for the next one.
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
    """Delivers alerts until it is closed."""

    def __init__(
        self,
        outbox: Callable[[], AbstractContextManager[Outbox]],
        heartbeat: Heartbeat | None,
        clock: Clock,
        poll_seconds: float = POLL_SECONDS,
        *,
        at_once: bool = True,
    ) -> None:
        """outbox: opened by the thread itself, its only user. at_once: retry earlier failures immediately instead of
        waiting until they are due."""
        self._at_once = at_once
        self._outbox, self._heartbeat, self._clock, self._poll = outbox, heartbeat, clock, poll_seconds
        self._bell, self._ending = threading.Event(), threading.Event()
        self._beat: str | None = None
        self._beat_tries = 0
        self._beat_at = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Start the thread, beginning with what earlier processes left undelivered."""
        self._thread.start()

    def beat(self, failure: str = "") -> None:
        """Request a ping; it replaces one that has not been sent yet."""
        with self._lock:
            self._beat, self._beat_tries, self._beat_at = failure, 0, 0.0
        self._bell.set()

    def is_alive(self) -> bool:
        """Whether the thread is still running, such as on a server that hangs after `close` has returned."""
        return self._thread.is_alive()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Deliver what can be delivered within this time, and stop. A server that hangs is not waited for."""
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
        except Exception as error:  # noqa: BLE001 - its text may contain an address; the session goes on
            LOG.error("alert delivery has stopped: %s", type(error).__name__)

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
        """Send the latest ping; a failed one is retried once, unless a newer one has been requested."""
        with self._lock:
            failure, tries = self._beat, self._beat_tries
            if failure is None or self._heartbeat is None or self._clock.monotonic() < self._beat_at:
                return
            self._beat = None
        try:
            self._heartbeat.beat(failure)
        except NotDelivered as error:
            LOG.warning("the heartbeat ping failed: %s", error)
            with self._lock:
                if self._beat is None and tries == 0:
                    self._beat, self._beat_tries = failure, 1
                    self._beat_at = self._clock.monotonic() + BEAT_AGAIN_SECONDS
