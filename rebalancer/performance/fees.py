"""Attribute fees to sales. Brokers report regulatory and crypto fees once a day, not per execution.

A fee without a symbol is allocated exactly, in proportion to value, to the sales of the last day before it on which
anything of its kind was sold; the last sale by time and id takes the rounding remainder. A fee that names a symbol
(borrowing) belongs to no trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.venue_rules import AssetClass
from rebalancer.performance.lots import spread
from rebalancer.performance.records import CashEvent, Fill, asset_class

DAYS_BACK_MOST: Final = 5  # a fee that arrives later than this cannot be attributed


def with_fees(fills: Sequence[Fill], cash: Sequence[CashEvent]) -> tuple[tuple[Fill, ...], tuple[CashEvent, ...]]:
    """Add fees to the fills they belong to. Returns the fills, and the fees that could not be attributed."""
    owing = {fill.id: fill for fill in fills}
    sold = _Sold(fills)
    left: list[CashEvent] = []
    for fee in sorted(cash, key=lambda e: (e.at, e.id)):
        if fee.kind not in ("fee", "coin_fee"):
            continue
        sales = sold.sales_for(fee)
        if not sales:
            left.append(fee)
            continue
        for sale, part in zip(sales, spread(-fee.amount, [-f.qty * f.price for f in sales]), strict=True):
            owing[sale.id] = owing[sale.id]._replace(fee=owing[sale.id].fee + part)
    return tuple(owing[fill.id] for fill in fills), tuple(left)


class _Sold:
    """All sales by kind and New York day, sorted by time and id within a day."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        self._by_day: dict[AssetClass, dict[date, list[Fill]]] = {"us_equity": {}, "crypto": {}}
        for fill in sorted(fills, key=lambda f: (f.at, f.id)):
            if fill.qty < 0:
                self._by_day[asset_class(fill.symbol)].setdefault(day_in_new_york(fill.at), []).append(fill)

    def sales_for(self, fee: CashEvent) -> list[Fill]:
        """The sales that a fee belongs to; empty when it belongs to none."""
        if fee.kind == "fee" and fee.symbol is not None:
            return []
        days = self._by_day["crypto" if fee.kind == "coin_fee" else "us_equity"]
        charged = day_in_new_york(fee.at)
        for back in range(DAYS_BACK_MOST + 1):
            own = [f for f in days.get(charged - timedelta(days=back), ()) if f.at <= fee.at]
            if own:
                return own
        return []
