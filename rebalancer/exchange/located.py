"""The shares of today's locates: how many are left, and taking them."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.values import ZERO
from rebalancer.exchange.calendar import new_york_day
from rebalancer.exchange.store import Store


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
    day = new_york_day(at)
    return [row for row in store.documents("locate") if row["symbol"] == symbol and row["day"] == day]
