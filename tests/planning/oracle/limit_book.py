"""The limit book: what every cap allows, what is used of it, and so the headroom; exactly, in decimals.

The projection works with weights in floats; orders are checked here again, against the largest position that all open
and unknown orders may still lead to. The plan and the refit after phase one ask the same book, and the usage that
reports and `status` show is read from it. The pre-trade check has arithmetic of its own (decision 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal

from rebalancer.core.decisions import LimitUse
from rebalancer.core.facts import Snapshot
from rebalancer.core.limits import LimitKind
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning.reconcile import ReconciledBook
from rebalancer.planning.validate_signals import Prices
from tests.planning.oracle.groups import Groups
from tests.planning.oracle.pricing import above_value


class LimitBook:
    """Running totals of exposure at decision prices: absolute USD per cap, signed shares per symbol."""

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
        self._capital = capital
        self._weights = {**groups.limits, **{f"position:{symbol}": cap for symbol, cap in own_caps.items()}}
        self._limits = {name: decimal_near(weight) * capital for name, weight in self._weights.items()}
        self._used = dict.fromkeys(self._limits, ZERO)
        for symbol, qty in self._shares.items():
            self._count(symbol, abs(qty), is_long=qty > 0)
            self._add(symbol, above.get(symbol, ZERO), is_long=qty > 0)

    @classmethod
    def opened(
        cls,
        snapshot: Snapshot,
        book: ReconciledBook,
        prices: Prices,
        own_caps: Mapping[str, float],
        groups: Groups,
        capital: Decimal,
    ) -> LimitBook:
        """The book at the start of a cycle, counting the worst case of all open orders. own_caps: by symbol, the
        largest weight of the name by itself, a fraction of capital."""
        above = above_value(snapshot.open_orders, book.worst_case, prices.value)
        return cls(book.worst_case, prices.value, own_caps, groups, capital, above)

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

    def weight(self, symbol: str) -> float:
        """The signed position, worst case, as a fraction of capital; zero without any capital."""
        value = self.shares(symbol) * self._prices.get(symbol, ZERO)
        return float(value / self._capital) if self._capital > 0 else 0.0

    def left(self, symbol: str, *, is_long: bool) -> tuple[Decimal, str]:
        """The headroom of this symbol's tightest cap, USD, never negative, and the name of that cap."""
        limits, used = self._limits, self._used
        left, name = min([(limits[n] - used[n], n) for n in self.names(symbol, is_long=is_long)])
        return max(left, ZERO), name

    def exceeded(self, symbol: str) -> bool:
        """Whether any cap that this symbol's position counts towards is exceeded."""
        shares = self.shares(symbol)
        return any(self._used[n] > self._limits[n] for n in self.names(symbol, is_long=shares > 0))

    def usage(self, after: LimitBook, binding: Set[str]) -> list[LimitUse]:
        """The usage of every cap in this book and in a later one, as fractions of capital. Caps of single names are
        listed only when they bind, since there is one for every name."""
        return [
            LimitUse(name, weight, self._used_part(name), after._used_part(name), name in binding, LimitKind.WEIGHT)
            for name, weight in self._weights.items()
            if name in binding or name in self._groups.limits
        ]

    def copy_with(self, trades: Iterable[tuple[str, Decimal]]) -> LimitBook:
        """A copy with these trades counted; the original is unchanged."""
        other = object.__new__(LimitBook)
        other._shares = dict(self._shares)
        other._prices, other._groups, other._capital = self._prices, self._groups, self._capital
        other._weights, other._limits = self._weights, self._limits
        other._used = dict(self._used)
        for symbol, qty in trades:
            other.trade(symbol, qty)
        return other

    def _used_part(self, name: str) -> float:
        return float(self._used[name] / self._capital) if self._capital > 0 else 0.0

    def _count(self, symbol: str, shares: Decimal, *, is_long: bool) -> None:
        """Add this many shares to the exposure of one side; a negative number is subtracted."""
        self._add(symbol, shares * self._prices.get(symbol, ZERO), is_long=is_long)

    def _add(self, symbol: str, value: Decimal, *, is_long: bool) -> None:
        if value:
            used = self._used
            for name in self.names(symbol, is_long=is_long):
                used[name] += value
