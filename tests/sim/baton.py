"""Several lives at once, yet only one runs at any moment, and chance decides which: the same chance each time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable


class Actor:
    """One life in a thread of its own, standing still unless it holds the baton."""

    def __init__(self, name: str, act: Callable[[], None], relay: Relay) -> None:
        self.name, self.done, self.error = name, False, None
        self.go, self._act, self._relay = threading.Semaphore(0), act, relay
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    error: BaseException | None

    def _run(self) -> None:
        self.go.acquire()
        try:
            self._act()
        except BaseException as error:  # handed to whoever started the relay
            self.error = error
        self.done = True
        self._relay.back.release()


class Relay:
    """Lets actors take turns at every boundary."""

    def __init__(self, draws: random.Random) -> None:
        self._draws, self._now = draws, None
        self.back = threading.Semaphore(0)
        self.switches = 0

    _now: Actor | None

    def run(self, acts: list[tuple[str, Callable[[], None]]]) -> None:
        """Run all to their ends. Raises the first error that one of them raised."""
        actors = [Actor(name, act, self) for name, act in acts]
        for actor in actors:
            actor.thread.start()
        waiting = list(actors)
        while waiting:
            self._now = self._draws.choice(waiting)
            self._now.go.release()
            self.back.acquire()
            self.switches += 1
            waiting = [actor for actor in waiting if not actor.done]
        self._now = None
        for actor in actors:
            actor.thread.join()
            if actor.error is not None:
                raise actor.error

    def boundary(self) -> None:
        """Give the baton back; returns when it is this actor's turn again. Nothing happens outside `run`."""
        me = self._now
        if me is None or threading.current_thread() is not me.thread:
            return
        self.back.release()
        me.go.acquire()
