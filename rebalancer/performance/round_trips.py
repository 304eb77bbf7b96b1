"""Round trips: positions opened by one order and closed by another, with their profit and reasons.

A round trip matches one opening order with one closing order (with average lots: everything that one order closed).
Partial fills are added up. Dividends are not part of a round trip; they are in the bridge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import ZERO
from rebalancer.core.venue_rules import AssetClass
from rebalancer.performance.benchmark import Benchmark
from rebalancer.performance.fees import with_fees
from rebalancer.performance.lots import Closing, match_lots
from rebalancer.performance.records import (
    UNKNOWN,
    AccountHistory,
    LotMethod,
    OrderHistory,
    TradeCause,
    asset_class,
)
from rebalancer.performance.regimes import regimes_by_day

INHERITED: Final = "inherited"  # source of shares without an opening order: held when records began, or transferred in


class RoundTrip(NamedTuple):
    """One round trip. `qty` is unsigned shares, `entry` and `exit` average prices, USD per share; `gross` is before and
    `profit` after fees; `slippage` is USD lost (+) or gained (-) against the decision prices of entry and exit, None
    when one is not known. `cost` is the value at entry. `source` is the signal source of the entry, `reason` the reason
    for the exit in words and `exit_cause` its category ("" when no order closed it). If the source is `INHERITED`, the
    opening time is at best when the records began."""

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
    exit_cause: TradeCause = ""

    @property
    def profit(self) -> Decimal:
        """Profit (+) or loss (-) after fees, USD."""
        return self.gross - self.fees

    @property
    def roi(self) -> float | None:
        """The profit as a fraction of the value at entry."""
        return float(self.profit / self.cost) if self.cost else None

    @property
    def held_seconds(self) -> float:
        """Seconds from the first entry to the last exit."""
        return (self.closed_at - self.opened_at).total_seconds()


def trips_of(ledger: AccountHistory, method: LotMethod, benchmark: Benchmark = Benchmark()) -> tuple[RoundTrip, ...]:  # noqa: B008 - immutable
    """Every round trip of a ledger, oldest first."""
    fills, _ = with_fees(ledger.fills, ledger.cash)
    matched = match_lots((*ledger.inherited, *fills), ledger.shares, method)
    return round_trips(matched.closings, ledger.order_histories, ledger.sectors, regimes_by_day(benchmark))


def round_trips(
    closings: tuple[Closing, ...],
    histories: Mapping[str, OrderHistory],
    sectors: Mapping[str, str],
    by_day: Mapping[date, str],
) -> tuple[RoundTrip, ...]:
    """The round trips made up of these closings, in the order in which they ended. by_day: the market regime of each
    New York day; a round trip gets that of its entry day."""
    pairs: defaultdict[tuple[str, str, str, bool], list[Closing]] = defaultdict(list)
    for one in closings:
        # shares without an opening order are distinguished by their time
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
        regime=by_day.get(day_in_new_york(opened_at), UNKNOWN),
        reason="" if closing is None else closing.reason,
        exit_cause="" if closing is None else closing.cause,
    )


def _source(part: Closing, opening: OrderHistory | None) -> str:
    if opening is not None:
        return opening.source
    return UNKNOWN if part.opening_order else INHERITED


def _slippage(parts: list[Closing], opening: OrderHistory | None, closing: OrderHistory | None) -> Decimal | None:
    """The slippage of the fills of both orders against their decision prices. Computed by value, so that a split in
    between does not matter: the value at entry divided by the entry price gives the shares as of then."""
    lost = ZERO
    cost, proceeds = sum((p.cost for p in parts), ZERO), sum((p.proceeds for p in parts), ZERO)
    for history, value in ((opening, cost), (closing, -proceeds)):
        if history is None or history.decision_price is None or not history.filled_avg_price:
            return None
        lost += value * (history.filled_avg_price - history.decision_price) / history.filled_avg_price
    return lost
