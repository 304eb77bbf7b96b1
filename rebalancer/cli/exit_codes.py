"""Exit codes, named as in sysexits and systemd."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell and systemd are told."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    TRADES_DUE = 3
    NOT_ALL_FILLED = 4
    HALTED = 5
    UNAVAILABLE = 69
    LOCKED = 75
    REFUSED = 77
    CONFIG = 78
