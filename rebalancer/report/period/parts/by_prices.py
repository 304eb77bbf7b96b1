"""The bridge and the contributions of days that were closed with prices: computed from positions and prices alone.

Nothing here is a balancing item: whatever prices, fills and the broker's activities do not explain is reported as
unexplained, and must be 0.00.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rebalancer.accounting.closed_days import ClosedDay, closed_day
from rebalancer.core.values import CENT, ZERO
from rebalancer.performance import bridge as law
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.results import BridgeLine, BridgeSection, Contribution

LABELS: Final = {
    "price_moves": "Price moves",
    "dividends": "Dividends",
    "interest": "Interest",
    "fees": "Fees",
    "slippage": "Slippage",
    "other": "Other activities",
    "flows": "Deposits and withdrawals",
}


def days_of(source: Source) -> list[ClosedDay]:
    """The closed days of the period; none when one of them was closed without prices."""
    if not all(books.is_priced for books in source.books):
        return []
    return [closed_day(source.ledger, books) for books in source.books]


def bridge_by_prices(source: Source, days: Sequence[ClosedDay]) -> BridgeSection:
    """From the first opening to the last closing, day by day. A difference between the closing of one day and the
    opening of the next, because a person accepted other positions, has a line of its own."""
    found: dict[str, Decimal] = dict.fromkeys(LABELS, ZERO)
    unexplained, between, before = ZERO, ZERO, days[0].opening.equity
    for day in days:
        part = law.bridge(day.opening, day.closing, day.fills, day.cash, day.shares, source.ledger.stories)
        for name in found:
            found[name] += getattr(part, name)
        unexplained += part.unexplained
        between += part.opening - before.quantize(CENT)
        before = day.closing.equity
    lines = [BridgeLine(label, found[name]) for name, label in LABELS.items() if found[name] or name == "price_moves"]
    if between:
        lines.append(BridgeLine("Books accepted by a person", between))
    opening, closing = days[0].opening.equity.quantize(CENT), before.quantize(CENT)
    return BridgeSection(opening, tuple(lines), unexplained, closing, by_prices=True)


def contributions_by_prices(days: Sequence[ClosedDay]) -> tuple[Contribution, ...]:
    """Profit or loss of every symbol over the days."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for day in days:
        for symbol, amount in law.contributions(day.opening, day.closing, day.fills, day.shares).items():
            found[symbol] += amount
    return tuple(Contribution(symbol, amount.quantize(CENT)) for symbol, amount in sorted(found.items()))
