"""What a check says."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One check: what it looked at, what it found, and how to mend it ("" when there is nothing to mend). `exit_code`
    is that of the command when this is the worst finding."""

    level: Level
    what: str
    found: str
    fix: str = ""
    exit_code: int = 0


def ok(what: str, found: str) -> Finding:
    """All is well."""
    return Finding("ok", what, found)


def warn(what: str, found: str, fix: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding("warn", what, found, fix)


def fail(what: str, found: str, fix: str, exit_code: int = 1) -> Finding:
    """A trading day cannot go well like this."""
    return Finding("fail", what, found, fix, exit_code)
