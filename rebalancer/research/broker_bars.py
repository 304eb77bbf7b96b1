"""Bars of a broker as prices: each known at its end, and only those inside regular sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from rebalancer.brokers.protocol import PriceBar, Timeframe, TradingHours
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.new_york import day_in_new_york
from rebalancer.market_data.trading_calendar import midnight_after
from rebalancer.research.price_files import PriceHistory, read_prices

WIDTHS: Final[Mapping[Timeframe, timedelta]] = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1Hour": timedelta(hours=1),
}


def prices_of_bars(
    bars: Mapping[str, Sequence[PriceBar]],
    timeframe: Timeframe,
    sessions: Sequence[TradingHours],
    now: datetime,
    place: str,
) -> PriceHistory:
    """Bars of stocks as a broker reports them, as `read_prices` reads the same bars from a long file with their ends.

    sessions: those of all days that the bars are of. A bar that is not wholly inside its session, and one that has not
    ended at `now`, is left out and counted. Raises BrokerUnavailable when none is left, BadDocument as `read_prices`.
    """
    import pandas

    of_day = {hours.day: hours for hours in sessions}
    rows: list[tuple[date | datetime, str, float, float, float, float, float, float]] = []
    outside = unfinished = 0
    for symbol, some in sorted(bars.items()):
        for bar in some:
            hours = of_day.get(day_in_new_york(bar.begins))
            ends = _end(bar.begins, timeframe, hours)
            if hours is None or ends is None:
                outside += 1
            elif ends > now:
                unfinished += 1
            else:
                rows.append((hours.day if timeframe == "1Day" else ends, symbol, *bar[1:]))
    if not rows:
        said = f"{outside} outside regular sessions, {unfinished} not complete"
        raise BrokerUnavailable(f"{place} has no {timeframe} bars of these names and days ({said})")
    columns = ["timestamp", "symbol", "open", "high", "low", "close", "volume", "vwap"]
    history = read_prices(pandas.DataFrame(rows, columns=columns))
    counts = {**history.counts, "bars_outside_sessions": outside, "bars_not_complete": unfinished}
    warnings = list(history.warnings)
    if outside:
        warnings.append(f"{outside} bars are not wholly inside a regular session and are left out")
    if unfinished:
        warnings.append(f"{unfinished} bars had not ended and are left out")
    return history._replace(place=place, counts=counts, warnings=tuple(warnings))


def _end(begins: datetime, timeframe: Timeframe, hours: TradingHours | None) -> datetime | None:
    """When a bar is known; None when it is not wholly inside its session."""
    if hours is None:
        return None
    if timeframe == "1Day":
        return midnight_after(hours.day)  # until then it may still be corrected; today's is never used
    ends = begins + WIDTHS[timeframe]
    return ends if hours.open <= begins and ends <= hours.close else None
