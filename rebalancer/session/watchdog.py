"""The watchdog of a session that this process started: it is heard in the protocol that sessions speak to systemd.

It counts from the session's READY=1 on. How long a start may take is not judged here: a session gives up by itself on a
broker that does not answer.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SILENT_SECONDS_MAX: Final = 180.0  # as WatchdogSec= of the session's unit
LOOK_SECONDS_MAX: Final = 60.0  # looks further apart than this: both processes may have stood still in between
NOT_FOR_CHILDREN: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "MAINPID"})
_MESSAGE_BYTES: Final = 4096


class Watchdog:
    """Listens to one process. `variables` are for its environment."""

    def __init__(self) -> None:
        """Raises OSError when there is no place for the socket."""
        self._folder = tempfile.TemporaryDirectory(prefix="rebalancer-")
        path = str(Path(self._folder.name, "notify"))  # short: a socket's path has at most 107 bytes
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.setblocking(False)
            self._socket.bind(path)
        except OSError:
            self.close()
            raise
        self._heard: float | None = None
        self._looked: float | None = None
        self.variables: Mapping[str, str] = {
            "NOTIFY_SOCKET": path,
            "WATCHDOG_USEC": str(int(SILENT_SECONDS_MAX * 1_000_000)),
        }

    def is_silent(self, now: float) -> bool:
        """Whether a process that was ready has said nothing for `SILENT_SECONDS_MAX`. now: seconds of a steady clock.
        What it said since the last call counts as said now. After more than `LOOK_SECONDS_MAX` without a call it counts
        as heard: a paused container or virtual machine stops both processes while the clock goes on."""
        for words in self._messages():
            if "READY=1" in words or (self._heard is not None and "WATCHDOG=1" in words):
                self._heard = now
        if self._heard is not None and self._looked is not None and now - self._looked > LOOK_SECONDS_MAX:
            self._heard = now
        self._looked = now
        return self._heard is not None and now - self._heard > SILENT_SECONDS_MAX

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        self._folder.cleanup()

    def _messages(self) -> list[list[str]]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(_MESSAGE_BYTES).decode("utf-8", "replace").splitlines())
            except OSError:  # BlockingIOError: there is no more
                return found


def environment_for(watchdog: Watchdog | None) -> dict[str, str]:
    """This process's variables for a process that it starts, without those by which it speaks to systemd itself."""
    own = {name: value for name, value in os.environ.items() if name not in NOT_FOR_CHILDREN}
    return own | dict(watchdog.variables if watchdog is not None else {})
