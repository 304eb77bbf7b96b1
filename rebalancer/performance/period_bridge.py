"""The bridge of a period: from opening to closing equity, summed over closed days, in ten lines.

Price moves are divided by lots: profit on closed lots is realised, the rest unrealised. Both are computed from
positions, prices and fills; neither is a residual.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import NamedTuple

from rebalancer.core.values import CENT, ZERO
from rebalancer.performance.bridge import Bridge, sum_of
from rebalancer.performance.lots import Closing


class DayParts(NamedTuple):
    """One closed day with its bridge.

    `priced`: price moves are computed from prices. Otherwise they are a residual that may hide a discrepancy.
    """

    day: date
    begins: datetime
    ends: datetime
    bridge: Bridge
    priced: bool


class PeriodBridge(NamedTuple):
    """USD in whole cents: opening + flows + realised + ... + other + unexplained = closing, exactly.

    `other` is cash from splits, mergers and other corporate actions. `missing` are trading days that were never closed:
    those before `last` are counted with the next closed day, those after it are not included. `unpriced` are closed
    days without prices. `slippage` is contained in realised and unrealised: lost (-) or gained (+) by the fills.
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
    slippage: Decimal = ZERO


def period_bridge(
    days: Sequence[DayParts], closings: Iterable[Closing], expected: Iterable[date] = ()
) -> PeriodBridge | None:
    """Combine closed days, oldest first; each begins where the previous one ended. None without any.

    closings: of all lots of the account. expected: the trading days that should have been closed by now.
    """
    if not days:
        return None
    for before, after in pairwise(days):
        assert after.bridge.opening == before.bridge.closing, f"{after.day} begins with what {before.day} ended with"
    whole = sum_of([day.bridge for day in days])
    begins, ends, known = days[0].begins, days[-1].ends, {day.day for day in days}
    gained = sum((one.gross for one in closings if begins < one.closed_at <= ends), ZERO)
    realised = gained.quantize(CENT, rounding=ROUND_HALF_EVEN)
    return PeriodBridge(
        first=days[0].day,
        last=days[-1].day,
        opening=whole.opening,
        flows=whole.flows,
        realised=realised,
        unrealised=whole.price_moves + whole.slippage - realised,
        dividends=whole.dividends,
        fees=whole.fees,
        interest=whole.interest,
        other=whole.other,
        unexplained=whole.unexplained,
        closing=whole.closing,
        missing=tuple(sorted(set(expected) - known)),
        unpriced=tuple(day.day for day in days if not day.priced),
        slippage=whole.slippage,
    )
