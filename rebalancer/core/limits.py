"""What a limit measures: the unit of its numbers, and whether reaching it stops trading.

The kind is set where a limit is made and stored with it. It is never guessed from the name of a limit, since part of
that name comes from outside: `sector:Wheat`, `position:LOSS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class LimitKind(StrEnum):
    """Weight: a fraction of capital. Loss: a fraction of equity. Orders, positions: counts."""

    WEIGHT = "weight"
    LOSS = "loss"
    ORDERS = "orders"
    POSITIONS = "positions"

    @property
    def counts(self) -> bool:
        """Whether its numbers are counts, not fractions."""
        return self in (LimitKind.ORDERS, LimitKind.POSITIONS)

    @property
    def unit(self) -> str:
        """The unit in words: "% of capital", "% of equity", "orders", "positions"."""
        return {LimitKind.WEIGHT: "% of capital", LimitKind.LOSS: "% of equity"}.get(self, str(self))

    @property
    def stops_trading(self) -> bool:
        """Whether trading stops when it is reached, as opposed to a cap, which only shapes the trades."""
        return self in (LimitKind.LOSS, LimitKind.ORDERS)


_EDITION_1: Final[Mapping[str, LimitKind]] = MappingProxyType(
    {
        "daily_loss": LimitKind.LOSS,
        "drawdown": LimitKind.LOSS,
        "orders_per_execution": LimitKind.ORDERS,
        "orders_per_day": LimitKind.ORDERS,
        "positions": LimitKind.POSITIONS,
    }
)  # every other limit of its plans is a weight


def limit_kind(stated: str | None, name: str) -> LimitKind:
    """The kind that a stored plan states. Plans of edition 1 state none: there, its whole name decides."""
    return _EDITION_1.get(name, LimitKind.WEIGHT) if stated is None else LimitKind(stated)


def limit_family(name: str) -> str:
    """The family of a limit: "sector" of "sector:Technology"; the name itself where there is one limit only."""
    return name.partition(":")[0]
