"""The shares of today's locates: how many are left, and taking them.

A locate belongs to a trading date of its own, which begins at 20:00 in New York the evening before.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from rebalancer.core.values import ZERO
from rebalancer.exchange.calendar import MICROS, midnight_new_york, new_york_day
from rebalancer.exchange.store import Store

_EVENING: Final = 4 * 3600 * MICROS  # from 20:00 to midnight


def locate_day(at: int) -> int:
    """The trading date of a locate bought at a moment, as an ordinal."""
    return new_york_day(at + _EVENING)


def locate_end(day: int) -> int:
    """When the locates of a trading date expire: at 20:00 in New York."""
    return midnight_new_york(day + 1) - _EVENING


def unused(store: Store, symbol: str, at: int) -> Decimal:
    """Shares of today's locates that no order has used."""
    return sum((Decimal(str(row["left"])) for row in _of_today(store, symbol, at)), ZERO)


def use(store: Store, symbol: str, qty: Decimal, at: int) -> None:
    """Take shares from the oldest locates. The caller has checked that there are enough."""
    for row in _of_today(store, symbol, at):
        taken = min(Decimal(str(row["left"])), qty)
        qty -= taken
        store.put_document("locate", str(row["id"]), {**row, "left": str(Decimal(str(row["left"])) - taken)})
    assert not qty


def _of_today(store: Store, symbol: str, at: int) -> list[dict[str, object]]:
    day = locate_day(at)
    return [row for row in store.documents("locate") if row["symbol"] == symbol and row["day"] == day]
