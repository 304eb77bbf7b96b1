"""Exit codes, named as in sysexits and systemd."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


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


MEANING: Final[Mapping[ExitCode, str]] = {
    ExitCode.DONE: "done; also when there was nothing to do or the market is closed",
    ExitCode.UNEXPECTED: "an unexpected error; for `status --exit-code`, that the sessions are not kept going",
    ExitCode.USAGE: "wrong usage, or a name that is not known",
    ExitCode.TRADES_DUE: "trades are due (`plan --exit-code`)",
    ExitCode.NOT_ALL_FILLED: "finished, but not every order filled, or the cycle ended CONSTRAINED",
    ExitCode.HALTED: "halted by the kill switch, a limit or an unknown order",
    ExitCode.UNAVAILABLE: "the broker or its data is not available, or the journal is locked",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.REFUSED: "the broker refused the credentials",
    ExitCode.CONFIG: "bad configuration, input or journal",
}
AFTER_SIGNALS: Final[Mapping[int, str]] = {
    130: "`run-now` that SIGINT ended early, in an orderly way; a cycle that halted keeps its own code; "
    "and `backtest`, of which nothing is written then",
    143: "`run-now` that SIGTERM ended early, likewise; a `session` ends 0",
}
