"""Trading halts: spans of time in which an instrument does not trade. Orders rest; nothing is triggered or filled."""

from __future__ import annotations

from typing import NamedTuple


class Halt(NamedTuple):
    """One halt of one symbol, microseconds since 1970: start inclusive, end exclusive."""

    symbol: str
    start: int
    end: int


class HaltPlan:
    """All halts, looked up by symbol. Few, so that a scan is quick."""

    def __init__(self, halts: tuple[Halt, ...] = ()) -> None:
        self._of: dict[str, list[Halt]] = {}
        for halt in sorted(halts):
            self._of.setdefault(halt.symbol, []).append(halt)

    def of(self, symbol: str) -> tuple[Halt, ...]:
        """A symbol's halts, in the order of their start."""
        return tuple(self._of.get(symbol, ()))

    def resumes(self, symbol: str, at: int) -> int | None:
        """When trading goes on, or None when it is not halted at this moment."""
        end = at
        for halt in self._of.get(symbol, ()):
            if halt.start <= end < halt.end:
                end = halt.end
        return end if end > at else None

    def priced_at(self, symbol: str, at: int) -> int:
        """The moment whose price holds: the start of the halt during one, else the moment itself."""
        for halt in reversed(self._of.get(symbol, ())):
            if halt.start <= at < halt.end:
                at = halt.start
        return at

    def halted(self, at: int) -> list[str]:
        """The symbols that are halted at a moment."""
        return sorted(symbol for symbol in self._of if self.resumes(symbol, at) is not None)

    def next_start(self, symbol: str, at: int, otherwise: int) -> int:
        """The start of the first halt after a moment, or `otherwise` when that comes first."""
        return min((h.start for h in self._of.get(symbol, ()) if h.start > at), default=otherwise)
