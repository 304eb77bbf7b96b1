"""What the positions were a short while ago: for an endpoint that lags behind the orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from rebalancer.exchange.books import Position
from rebalancer.exchange.calendar import MICROS

KEPT: Final = 3600 * MICROS  # the longest lag


class _Change(NamedTuple):
    at: int
    symbol: str
    before: Position | None


class PastPositions:
    """Positions before each fill of the last hour. In memory only: nothing lags behind a restart."""

    def __init__(self, positions: Iterable[Position]) -> None:
        self._now = {position.symbol: replace(position) for position in positions}
        self._changes: deque[_Change] = deque()

    def note(self, at: int, symbol: str, position: Position | None) -> None:
        """Remember what a symbol's position was before it became this."""
        self._changes.append(_Change(at, symbol, self._now.get(symbol)))
        if position is None:
            self._now.pop(symbol, None)
        else:
            self._now[symbol] = replace(position)
        while self._changes[0].at < at - KEPT:
            self._changes.popleft()

    def changed_since(self, at: int) -> dict[str, Position | None]:
        """Every symbol that has been traded after a moment, with its position at that moment."""
        found: dict[str, Position | None] = {}
        for change in reversed(self._changes):
            if change.at <= at:
                break
            found[change.symbol] = change.before
        return found
