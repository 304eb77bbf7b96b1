"""Exit codes, named as in sysexits and systemd."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code for the shell and systemd."""

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
