"""Report the state of a process to systemd: ready, one status line, alive, stopping (the sd_notify protocol).

Without systemd nothing is sent. A problem with the socket never stops the process.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping
from typing import Final

STATUS_LENGTH_MAX: Final = 300


class Notify:
    """Sends messages to the service manager; does nothing when there is no socket."""

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        """address: a path, or a name after `@`. watchdog_seconds: the interval within which the watchdog must be
        notified."""
        self._address = None if not address else f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds
        self._last_sent = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Notify:
        """The notifier that systemd configured for this process; its variables are removed, so that no child process
        can use them."""
        address = environ.pop("NOTIFY_SOCKET", None)
        return cls(address, _watchdog(environ))

    def ready(self, status: str) -> None:
        """Report that the start is complete."""
        self._last_sent = status
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, text: str) -> None:
        """Send one status line for people; the same line is not sent twice in a row."""
        if text != self._last_sent:
            self._last_sent = text
            self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """Notify the watchdog. Called wherever progress is made, never from a timer of its own."""
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        """Report that the process is stopping."""
        self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.setblocking(False)
                connection.connect(self._address)
                connection.send(text.encode())
        except OSError:
            return  # nobody is listening any more


def _watchdog(environ: Mapping[str, str]) -> float | None:
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1_000_000


def _one_line(text: str) -> str:
    return " ".join(text.split())[:STATUS_LENGTH_MAX]
