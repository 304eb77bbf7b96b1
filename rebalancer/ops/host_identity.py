"""What tells this host and state folder from every other: the holder of a lease.

Processes of one state folder take turns by its locks, so they share a lease. A copy of the folder is another holder: on
another machine, in another container, at another path. After a restart of the machine it is another holder too, so that
a restored snapshot of a machine is not taken for the original.
"""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import Final

NAME_VARIABLE: Final = "REBALANCER_HOST_NAME"
_READ_FROM: Final = ("/etc/machine-id", "/proc/sys/kernel/random/boot_id")


def host_name() -> str:
    """The host's name for people; REBALANCER_HOST_NAME where the machine's own says nothing, as in containers."""
    return os.environ.get(NAME_VARIABLE, "").strip()[:100] or socket.gethostname()


def holder_of_state(state: Path) -> str:
    """Sixteen hexadecimal digits for this host, its present boot, and this state folder, which must exist."""
    found = state.stat()
    parts = [*(_line(path) for path in _READ_FROM), socket.gethostname(), str(state.resolve())]
    parts += [str(found.st_dev), str(found.st_ino)]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
