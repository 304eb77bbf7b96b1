"""Send log lines to journald over its native socket, with fields that `journalctl` can search."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOCKET: Final = Path("/run/systemd/journal/socket")
PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
LONGEST: Final = 48 * 1024  # bytes per value; larger datagrams may be refused where socket buffers are small
CUT: Final = "… (cut)"


class Journald:
    """Sends one datagram per line and never blocks."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send the fields of one line. False when journald does not accept them: the caller logs them elsewhere."""
        for longest in (LONGEST, 1024):
            with contextlib.suppress(OSError):
                self._socket.sendto(datagram(fields, longest), os.fspath(self._path))
                return True
        return False

    def close(self) -> None:
        self._socket.close()


def datagram(fields: Mapping[str, str], longest: int = LONGEST) -> bytes:
    """The fields in journald's native format: `NAME=value`, or with a 64-bit length when the value has newlines."""
    return b"".join(_field(name, value, longest) for name, value in fields.items())


def _field(name: str, value: str, longest: int) -> bytes:
    raw = value.encode("utf-8", "replace")
    if len(raw) > longest:
        raw = raw[:longest].decode("utf-8", "ignore").encode() + CUT.encode()
    if b"\n" not in raw:
        return name.encode() + b"=" + raw + b"\n"
    return name.encode() + b"\n" + len(raw).to_bytes(8, "little") + raw + b"\n"
