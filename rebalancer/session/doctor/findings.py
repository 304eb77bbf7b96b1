"""What a check says."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]


class CheckResult(NamedTuple):
    """One check: what it looked at, what it found, and how to mend it ("" when there is nothing to mend). `exit_code`
    is that of the command when this is the worst finding."""

    level: Level
    what: str
    found: str
    fix: str = ""
    exit_code: int = 0


def ok(what: str, found: str) -> CheckResult:
    """All is well."""
    return CheckResult("ok", what, found)


def warn(what: str, found: str, fix: str) -> CheckResult:
    """It works, and somebody should look at it."""
    return CheckResult("warn", what, found, fix)


def fail(what: str, found: str, fix: str, exit_code: int = 1) -> CheckResult:
    """A trading day cannot go well like this."""
    return CheckResult("fail", what, found, fix, exit_code)
