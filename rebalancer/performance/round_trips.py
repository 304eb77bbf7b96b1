"""Round trips: what one order opened and another one closed, with what it brought and why.

A trip is one opening order matched with one closing order (with average lots: everything that one order closed). Parts
that filled one by one are added up. Dividends are no part of a trip; they stand in the bridge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.values import ZERO
from rebalancer.performance.benchmark import Benchmark
from rebalancer.performance.fees import day_of, with_fees
from rebalancer.performance.lots import Closing, match_lots
from rebalancer.performance.records import UNKNOWN, AccountHistory, AssetClass, LotMethod, OrderHistory, asset_class
from rebalancer.performance.regimes import regimes

INHERITED: Final = "inherited"  # the source of shares that came without an order: held before the books, or moved in


class RoundTrip(NamedTuple):
    """One round trip. `qty` unsigned shares, `entry` and `exit` average USD a share; `gross` before and `profit` after
    fees; `slippage` USD lost (+) or gained (-) against decision prices at both ends, None when a price is not known.
    `cost` is what was put at stake: the value at entry. `source` spoke for the entry, `reason` is that of the exit. A
    trip whose source is `INHERITED` was opened when the books began, as far as they know."""

    symbol: str
    side: Literal["long", "short"]
    qty: Decimal
    entry: Decimal
    exit: Decimal
    opened_at: datetime
    closed_at: datetime
    cost: Decimal
    gross: Decimal
    fees: Decimal
    slippage: Decimal | None
    source: str
    sector: str
    asset_class: AssetClass
    regime: str
    reason: str

    @property
    def profit(self) -> Decimal:
        """What was won (+) or lost (-) after fees, USD."""
        return self.gross - self.fees

    @property
    def roi(self) -> float | None:
        """The profit as a fraction of what was at stake."""
        return float(self.profit / self.cost) if self.cost else None

    @property
    def held_seconds(self) -> float:
        """From the first share in to the last one out."""
        return (self.closed_at - self.opened_at).total_seconds()


def trips_of(ledger: AccountHistory, method: LotMethod, benchmark: Benchmark = Benchmark()) -> tuple[RoundTrip, ...]:  # noqa: B008 - immutable
    """Every round trip of a ledger, oldest first."""
    fills, _ = with_fees(ledger.fills, ledger.cash)
    matched = match_lots((*ledger.inherited, *fills), ledger.shares, method)
    return round_trips(matched.closings, ledger.stories, ledger.sectors, regimes(benchmark.days, benchmark.closes))


def round_trips(
    closings: tuple[Closing, ...],
    histories: Mapping[str, OrderHistory],
    sectors: Mapping[str, str],
    by_day: Mapping[date, str],
) -> tuple[RoundTrip, ...]:
    """The trips behind what was closed, in the order in which they ended. by_day: the
    regime of each day in New York, of which the entry's counts."""
    pairs: defaultdict[tuple[str, str, str, bool], list[Closing]] = defaultdict(list)
    for one in closings:
        # what came without an order of its own is told apart by its moment
        opened = one.opening_order or one.opened_at.isoformat()
        closed = one.closing_order or one.closed_at.isoformat()
        pairs[(one.symbol, opened, closed, one.qty > 0)].append(one)
    trips = [_trip(parts, histories, sectors, by_day) for parts in pairs.values()]
    return tuple(sorted(trips, key=lambda t: (t.closed_at, t.symbol, t.opened_at)))


def _trip(
    parts: list[Closing], histories: Mapping[str, OrderHistory], sectors: Mapping[str, str], by_day: Mapping[date, str]
) -> RoundTrip:
    first = parts[0]
    qty = abs(sum((p.qty for p in parts), ZERO))
    cost = abs(sum((p.cost for p in parts), ZERO))
    opened_at = min(p.opened_at for p in parts)
    opening, closing = histories.get(first.opening_order), histories.get(first.closing_order)
    return RoundTrip(
        symbol=first.symbol,
        side="long" if first.qty > 0 else "short",
        qty=qty,
        entry=cost / qty,
        exit=abs(sum((p.proceeds for p in parts), ZERO)) / qty,
        opened_at=opened_at,
        closed_at=max(p.closed_at for p in parts),
        cost=cost,
        gross=sum((p.gross for p in parts), ZERO),
        fees=sum((p.fees for p in parts), ZERO),
        slippage=_slippage(parts, opening, closing),
        source=_source(first, opening),
        sector=sectors.get(first.symbol, UNKNOWN),
        asset_class=asset_class(first.symbol),
        regime=by_day.get(day_of(opened_at), UNKNOWN),
        reason="" if closing is None else closing.reason,
    )


def _source(part: Closing, opening: OrderHistory | None) -> str:
    if opening is not None:
        return opening.source
    return UNKNOWN if part.opening_order else INHERITED


def _slippage(parts: list[Closing], opening: OrderHistory | None, closing: OrderHistory | None) -> Decimal | None:
    """What the fills of both orders were worse than their decisions. By value, so that a split in between is no matter:
    the value at entry over the entry price gives the shares as they were then."""
    lost = ZERO
    cost, proceeds = sum((p.cost for p in parts), ZERO), sum((p.proceeds for p in parts), ZERO)
    for history, value in ((opening, cost), (closing, -proceeds)):
        if history is None or history.decision_price is None or not history.filled_avg_price:
            return None
        lost += value * (history.filled_avg_price - history.decision_price) / history.filled_avg_price
    return lost
