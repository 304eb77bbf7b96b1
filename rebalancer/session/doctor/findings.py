"""The result of a check."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]


class CheckResult(NamedTuple):
    """One check: what it looked at, what it found, and how to fix it ("" when there is nothing to fix). `exit_code` is
    the exit code of the command when this is the worst result."""

    level: Level
    what: str
    found: str
    fix: str = ""
    exit_code: int = 0


def ok(what: str, found: str) -> CheckResult:
    """The check passed."""
    return CheckResult("ok", what, found)


def warn(what: str, found: str, fix: str) -> CheckResult:
    """It works, but a person should look at it."""
    return CheckResult("warn", what, found, fix)


def fail(what: str, found: str, fix: str, exit_code: int = 1) -> CheckResult:
    """A trading day cannot succeed in this state."""
    return CheckResult("fail", what, found, fix, exit_code)
