"""Which sales a fee is for. Brokers list regulatory and coin fees once a day, not with each execution.

A fee without a symbol is shared out, to the last fraction of a cent, over the sales of the last day before it on which
anything of its kind was sold, in proportion to their value; the last of them, by time and id, takes what rounding
leaves. A fee that names a symbol (borrowing) is of no trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rebalancer.performance.lots import spread
from rebalancer.performance.records import AssetClass, CashEvent, Fill, asset_class

NEW_YORK: Final = ZoneInfo("America/New_York")
DAYS_BACK_MOST: Final = 5  # a fee that comes later than this is of nothing that we know


def with_fees(fills: Sequence[Fill], cash: Sequence[CashEvent]) -> tuple[tuple[Fill, ...], tuple[CashEvent, ...]]:
    """Put fees on the fills that they are for. Returns the fills, and the fees for which none was found."""
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
    """Everything that was sold, by kind and day in New York, each day in the order of time and id."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        self._by_day: dict[AssetClass, dict[date, list[Fill]]] = {"us_equity": {}, "crypto": {}}
        for fill in sorted(fills, key=lambda f: (f.at, f.id)):
            if fill.qty < 0:
                self._by_day[asset_class(fill.symbol)].setdefault(day_of(fill.at), []).append(fill)

    def sales_for(self, fee: CashEvent) -> list[Fill]:
        """The sales that a fee is for, none when it is of no trade."""
        if fee.kind == "fee" and fee.symbol is not None:
            return []
        days = self._by_day["crypto" if fee.kind == "coin_fee" else "us_equity"]
        charged = day_of(fee.at)
        for back in range(DAYS_BACK_MOST + 1):
            own = [f for f in days.get(charged - timedelta(days=back), ()) if f.at <= fee.at]
            if own:
                return own
        return []


def day_of(moment: datetime) -> date:
    """The calendar day in New York."""
    return moment.astimezone(NEW_YORK).date()
