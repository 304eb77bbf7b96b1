"""The origins of values and errors, and the exception that lists every error in a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from rebalancer.core.documents import BadDocument

_LISTED_MAX: Final = 20


class Origin(NamedTuple):
    """Where a value comes from: a line of a file, an environment variable, or the built-in default."""

    kind: Literal["default", "file", "environment"]
    name: str = ""
    line: int = 0

    def __str__(self) -> str:
        if self.kind == "default":
            return "default"
        return f"{self.name}:{self.line}" if self.kind == "file" else self.name


DEFAULT: Final = Origin("default")


class Problem(NamedTuple):
    """One error: its origin, dotted key (empty if it concerns the whole file), description and fix."""

    origin: Origin
    key: str
    text: str
    hint: str = ""

    @property
    def where(self) -> str:
        """File, line and key: the beginning of every message."""
        return f"{self.origin}: {self.key}" if self.key else str(self.origin)

    def __str__(self) -> str:
        return str(BadDocument(self.where, self.text, self.hint))


class BadConfiguration(BadDocument):
    """A configuration with one or more errors. `where`, `problem` and `hint` are of the first; the text lists all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.where, first.text, first.hint)
        self.problems = tuple(problems)
        lines = [str(problem) for problem in problems[:_LISTED_MAX]]
        if len(problems) > _LISTED_MAX:
            lines.append(f"and {len(problems) - _LISTED_MAX} more")
        self.args = ("\n".join(lines),)
