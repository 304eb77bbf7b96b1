"""The bridge of a period: from its opening equity to its closing equity, day by day of closed books, in ten lines.

What prices did is told apart by lots: what was won with shares that are gone again is realised, the rest is not. Both
are reckoned from positions, prices and fills; neither is what is left over when all else is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import NamedTuple

from rebalancer.core.values import CENT, ZERO
from rebalancer.performance.lots import Closing


class DayParts(NamedTuple):
    """One closed day, USD in whole cents: opening + everything + unexplained = closing. `price_moves` with slippage.

    `priced`: the moves are reckoned from prices. Without, they are what is left, and a missing dollar hides in them.
    """

    day: date
    begins: datetime
    ends: datetime
    opening: Decimal
    flows: Decimal
    price_moves: Decimal
    dividends: Decimal
    fees: Decimal
    interest: Decimal
    other: Decimal
    unexplained: Decimal
    closing: Decimal
    priced: bool


class PeriodBridge(NamedTuple):
    """USD in whole cents: opening + flows + realised + ... + other + unexplained = closing, exactly.

    `other` is cash of splits, mergers and other corporate events. `missing` are days of trading whose books were never
    closed: before `last` they are counted with the next closed day, after it they are not in here. `unpriced` are days
    whose books have no prices.
    """

    first: date
    last: date
    opening: Decimal
    flows: Decimal
    realised: Decimal
    unrealised: Decimal
    dividends: Decimal
    fees: Decimal
    interest: Decimal
    other: Decimal
    unexplained: Decimal
    closing: Decimal
    missing: tuple[date, ...] = ()
    unpriced: tuple[date, ...] = ()


def period_bridge(
    days: Sequence[DayParts], closings: Iterable[Closing], expected: Iterable[date] = ()
) -> PeriodBridge | None:
    """Put closed days together, oldest first; each begins where the one before ended. None without any.

    closings: of all lots of the account. expected: the days of trading whose books should be closed by now.
    """
    if not days:
        return None
    for before, after in pairwise(days):
        assert after.opening == before.closing, f"{after.day} begins with what {before.day} ended with"

    def total(name: str) -> Decimal:
        return sum((getattr(day, name) for day in days), ZERO)

    begins, ends, known = days[0].begins, days[-1].ends, {day.day for day in days}
    gained = sum((one.gross for one in closings if begins < one.closed_at <= ends), ZERO)
    realised = gained.quantize(CENT, rounding=ROUND_HALF_EVEN)
    return PeriodBridge(
        first=days[0].day,
        last=days[-1].day,
        opening=days[0].opening,
        flows=total("flows"),
        realised=realised,
        unrealised=total("price_moves") - realised,
        dividends=total("dividends"),
        fees=total("fees"),
        interest=total("interest"),
        other=total("other"),
        unexplained=total("unexplained"),
        closing=days[-1].closing,
        missing=tuple(sorted(set(expected) - known)),
        unpriced=tuple(day.day for day in days if not day.priced),
    )
