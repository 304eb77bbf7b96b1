"""What open orders hold back, kept as sums, so that an account with many open orders answers as quickly as with few.

Only orders that open a position hold anything back. Orders of one pool exclude each other: the largest counts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.exchange.margin import Pending, margin_rate
from rebalancer.exchange.order import Order, reservations

_MULTIPLIERS: Final = (1, 2, 4)


class _Claim(NamedTuple):
    """One order's value in USD, and the margin that it needs at each multiplier."""

    value: Decimal
    needed: tuple[Decimal, ...]


class Reservations:
    """Sums over the open orders. Exact, so that taking an order off leaves what would be without it."""

    def __init__(self) -> None:
        self._alone: dict[str, Order] = {}
        self._claims: dict[str, _Claim] = {}  # of those
        self._pooled: dict[str, Order] = {}
        self._value: Decimal = ZERO
        self._needed: tuple[Decimal, ...] = (ZERO,) * len(_MULTIPLIERS)

    def note(self, order: Order) -> None:
        """Take over an order as it stands now, open or closed."""
        before = self._claims.pop(order.id, None)
        if before is not None:
            self._alone.pop(order.id)
            self._value, self._needed = _added((self._value, self._needed), before, -1)
        self._pooled.pop(order.id, None)
        if not order.is_open or not order.is_opening or order.status == "held":
            return
        if order.pool:
            self._pooled[order.id] = order
            return
        self._alone[order.id] = order
        claim = self._claims[order.id] = _claim(order)
        self._value, self._needed = _added((self._value, self._needed), claim, 1)

    def pending(self, without: str = "") -> Pending:
        """What is held back, as if the orders of the pool `without`, or the order of this id, were not there."""
        found = (self._value, self._needed)
        pools = {order.pool for order in self._pooled.values()}  # named after their first order, which has none
        for name in (pools | {without}) & self._claims.keys():
            found = _added(found, self._claims[name], -1)
        together = [*self._pooled.values(), *(self._alone[name] for name in pools & self._alone.keys())]
        rest = [order for order in together if not without or without not in (order.pool, order.id)]
        for order in reservations(rest):
            found = _added(found, _claim(order), 1)
        return Pending(found[0], dict(zip(_MULTIPLIERS, found[1], strict=True)))


def _claim(order: Order) -> _Claim:
    value = order.reserved()
    rates = (margin_rate(order.symbol, order.reserve_price, multiplier) for multiplier in _MULTIPLIERS)
    return _Claim(value, tuple(value * rate for rate in rates))


def _added(sums: tuple[Decimal, tuple[Decimal, ...]], claim: _Claim, sign: int) -> tuple[Decimal, tuple[Decimal, ...]]:
    value, needed = sums
    return value + sign * claim.value, tuple(a + sign * b for a, b in zip(needed, claim.needed, strict=True))
