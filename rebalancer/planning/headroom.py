"""The headroom under every cap in dollars at decision prices, computed exactly.

The projection works with weights in floats; orders are checked here again in decimals, against the largest position
that all open and unknown orders may still lead to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning.groups import Groups


class Headroom:
    """Running totals of exposure: absolute USD per cap, signed shares per symbol."""

    def __init__(
        self,
        positions: Mapping[str, Decimal],
        prices: Mapping[str, Decimal],
        own_caps: Mapping[str, float],
        groups: Groups,
        capital: Decimal,
        above: Mapping[str, Decimal],
    ) -> None:
        """above: USD by symbol by which the cost of open orders may exceed the value of their shares."""
        self._shares = dict(positions)
        self._prices = prices
        self._groups = groups
        self._limits = {name: decimal_near(limit) * capital for name, limit in groups.limits.items()}
        self._limits |= {f"position:{symbol}": decimal_near(cap) * capital for symbol, cap in own_caps.items()}
        self._used = dict.fromkeys(self._limits, ZERO)
        for symbol, qty in self._shares.items():
            self._count(symbol, abs(qty), is_long=qty > 0)
            self._add(symbol, above.get(symbol, ZERO), is_long=qty > 0)

    def names(self, symbol: str, *, is_long: bool) -> tuple[str, ...]:
        """All caps that a position in this symbol and direction counts towards, including the symbol's own."""
        own = f"position:{symbol}"
        names = self._groups.names(symbol, is_long=is_long)
        return (*names, own) if own in self._limits else names

    def trade(self, symbol: str, qty: Decimal, cost: Decimal | None = None) -> None:
        """Count signed shares as traded. cost: the USD to count per share where that exceeds its value."""
        before = self._shares.get(symbol, ZERO)
        self._shares[symbol] = after = before + qty
        if before * after < 0:
            self._count(symbol, -abs(before), is_long=before > 0)
            self._count(symbol, abs(after), is_long=after > 0)
        else:
            self._count(symbol, abs(after) - abs(before), is_long=before + after > 0)
        if cost is not None:
            self._add(symbol, abs(qty) * (cost - self._prices.get(symbol, ZERO)), is_long=after > 0)

    def shares(self, symbol: str) -> Decimal:
        """The signed position, worst case."""
        return self._shares.get(symbol, ZERO)

    def left(self, symbol: str, *, is_long: bool) -> tuple[Decimal, str]:
        """The headroom of this symbol's tightest cap, USD, never negative, and the name of that cap."""
        limits, used = self._limits, self._used
        left, name = min([(limits[n] - used[n], n) for n in self.names(symbol, is_long=is_long)])
        return max(left, ZERO), name

    def exceeded(self, symbol: str) -> bool:
        """Whether any cap that this symbol's position counts towards is exceeded."""
        shares = self.shares(symbol)
        return any(self._used[n] > self._limits[n] for n in self.names(symbol, is_long=shares > 0))

    def used(self) -> Mapping[str, Decimal]:
        """USD in use per cap."""
        return dict(self._used)

    def copy_with(self, trades: Iterable[tuple[str, Decimal]]) -> Headroom:
        """A copy with these trades counted; the original is unchanged."""
        other = object.__new__(Headroom)
        other._shares = dict(self._shares)
        other._prices, other._groups, other._limits = self._prices, self._groups, self._limits
        other._used = dict(self._used)
        for symbol, qty in trades:
            other.trade(symbol, qty)
        return other

    def _count(self, symbol: str, shares: Decimal, *, is_long: bool) -> None:
        """Add this many shares to the exposure of one side; a negative number is subtracted."""
        self._add(symbol, shares * self._prices.get(symbol, ZERO), is_long=is_long)

    def _add(self, symbol: str, value: Decimal, *, is_long: bool) -> None:
        if value:
            used = self._used
            for name in self.names(symbol, is_long=is_long):
                used[name] += value
