"""What one file says, whatever its format: rows with their problems, and what holds for the file as a whole."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from rebalancer.core.facts import Signal

RowKind = Literal["target", "score"]
WeightsOf = Literal["equity", "capital"]


class FileRow(NamedTuple):
    """One row. `line` is the line of a CSV file (the header is line 1) or the row of any other file, from 1. `value` is
    a score, or a target weight as a fraction; None when it cannot be read. `problem` says why the row cannot be used.
    `signal` is set for a usable score, `hint` where the problem has a fix."""

    line: int
    symbol: str
    kind: RowKind
    value: Decimal | None
    source: str
    problem: str | None = None
    hint: str = ""
    signal: Signal | None = None


class SignalFile(NamedTuple):
    """A file that was read completely. `complete`: a name that it does not mention is to be closed; `close_all`: also
    when it mentions none. `weights_of`: what its target weights are fractions of; None leaves that to the rules.
    `as_of`: the time that the file itself gives, aware UTC. `problems` concern the file as a whole."""

    format: str
    rows: tuple[FileRow, ...]
    complete: bool = False
    close_all: bool = False
    weights_of: WeightsOf | None = None
    as_of: datetime | None = None
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether every row can be used."""
        return not self.problems and all(row.problem is None for row in self.rows)


class SeveralReadings(NamedTuple):
    """Why something can be read in two ways: a sentence, and the two readings."""

    what: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.what} can be read two ways: {self.first}, or {self.second}"
