"""Stopping on request: a flag that a signal sets and that everything which sends or waits checks.

`reason()` is None while nothing is stopped. The pre-trade check asks it before every order, so that after a SIGTERM
nothing new is sent, while the orders in flight are still tracked and recorded. A second signal
makes it urgent: working orders are cancelled at once instead of being awaited.
"""

from __future__ import annotations

import math
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Protocol

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stopping(Protocol):
    """A request to end a run early."""

    def reason(self) -> str | None:
        """Why nothing more may be started; None while no stop is requested."""
        ...

    def is_urgent(self) -> bool:
        """Whether orders in flight are not to be awaited either."""
        ...

    @property
    def exit_code(self) -> int | None:
        """128 plus the number of the signal that requests the end; None without one."""
        ...


class Never:
    """A stop that is never requested."""

    def reason(self) -> str | None:
        return None

    def is_urgent(self) -> bool:
        return False

    @property
    def exit_code(self) -> int | None:
        return None


NEVER: Final = Never()


class Bell:
    """Wakes one waiting thread from any other thread or from a signal handler. Uses a pipe, because a handler that took
    a lock could wait for the very thread that it interrupted."""

    def __init__(self) -> None:
        self._hears, self._rings = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        """Wake the waiting thread, now or as soon as it waits."""
        if self._rings < 0:
            return  # closed: nobody waits any more
        try:
            os.write(self._rings, b".")
        except BlockingIOError:
            return  # it is ringing already

    def wait(self, seconds: float) -> bool:
        """Return after this many seconds, or at once when the bell rings: then True."""
        waits = select.poll()  # unlike select(), it takes a descriptor of any number
        waits.register(self._hears, select.POLLIN)
        if not waits.poll(math.ceil(max(seconds, 0.0) * 1000)):
            return False
        os.read(self._hears, 65536)
        return True

    def close(self) -> None:
        """Close the pipe; nothing can be heard afterwards. Closing twice is once."""
        ends, self._hears, self._rings = (self._hears, self._rings), -1, -1
        for end in ends:
            if end >= 0:
                os.close(end)


class Stop:
    """The stop request of this process."""

    def __init__(self, what: str = "session", on_signal: Callable[[str], None] | None = None) -> None:
        """what: the name of what is stopped, used in the reason. on_signal: called at the first signal, in its handler;
        it may not raise."""
        self.bell = Bell()
        self._what, self._on_signal = what, on_signal
        self._reason: str | None = None
        self._signal: int | None = None
        self._is_urgent = False

    def reason(self) -> str | None:
        """Why nothing more may be started; None while no stop is requested."""
        return self._reason

    def is_urgent(self) -> bool:
        """Whether a second signal has come."""
        return self._is_urgent

    @property
    def exit_code(self) -> int | None:
        """128 plus the number of the first signal, as shells do; None without a signal."""
        return None if self._signal is None else 128 + self._signal

    def ask(self, reason: str) -> None:
        """Request the stop; the first reason is kept."""
        if self._reason is None:
            self._reason = reason
        self.bell.ring()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT request the stop while the block runs; its bell is closed with it. Only in the main
        thread.

        A process that was asked ends after the block and ignores them from then on: one more while Python shuts down
        would make its exit code that of a process that was killed.
        """
        before = {number: signal.signal(number, self._heard) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if self._signal is None else signal.SIG_IGN)
            self.bell.close()

    def _heard(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            self._is_urgent = True
            return
        self._signal = number
        name = signal.Signals(number).name
        self.ask(f"the {self._what} is being stopped ({name})")
        if self._on_signal is not None:
            self._on_signal(name)
