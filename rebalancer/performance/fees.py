"""Which sales a fee is for. Brokers list regulatory and coin fees once a day, not with each execution.

A fee without a symbol is shared out, to the last fraction of a cent, over the sales of the last day before it on which
anything of its kind was sold, in proportion to their value. A fee that names a symbol (borrowing) is of no trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from rebalancer.performance.lots import spread
from rebalancer.performance.records import CashEvent, Fill, asset_class

NEW_YORK: Final = ZoneInfo("America/New_York")
DAYS_BACK_MOST: Final = 5  # a fee that comes later than this is of nothing that we know


def with_fees(fills: Sequence[Fill], cash: Sequence[CashEvent]) -> tuple[tuple[Fill, ...], tuple[CashEvent, ...]]:
    """Put fees on the fills that they are for. Returns the fills, and the fees for which none was found."""
    owing = {fill.id: fill for fill in fills}
    left: list[CashEvent] = []
    for fee in sorted(cash, key=lambda e: (e.at, e.id)):
        if fee.kind not in ("fee", "coin_fee"):
            continue
        sales = _sales(fills, fee)
        if not sales:
            left.append(fee)
            continue
        for sale, part in zip(sales, spread(-fee.amount, [-f.qty * f.price for f in sales]), strict=True):
            owing[sale.id] = owing[sale.id]._replace(fee=owing[sale.id].fee + part)
    return tuple(owing[fill.id] for fill in fills), tuple(left)


def _sales(fills: Sequence[Fill], fee: CashEvent) -> list[Fill]:
    if fee.kind == "fee" and fee.symbol is not None:
        return []
    kind = "crypto" if fee.kind == "coin_fee" else "us_equity"
    sold = [f for f in fills if f.qty < 0 and f.at <= fee.at and asset_class(f.symbol) == kind]
    newest = max((_day(f) for f in sold), default=None)
    if newest is None or (fee.at.astimezone(NEW_YORK).date() - newest).days > DAYS_BACK_MOST:
        return []
    return [f for f in sold if _day(f) == newest]


def _day(fill: Fill) -> date:
    return fill.at.astimezone(NEW_YORK).date()
