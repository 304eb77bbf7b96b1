"""Bars of a broker as prices: each known at its end, and only those inside regular sessions.

They are asked for in parts of `BARS_A_PART` at most, of which only the numbers are kept: 64 bytes a bar.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
BARS_A_PART: Final = 200_000
_DAY: Final = timedelta(days=1)
_FIELDS: Final = ("open", "high", "low", "close", "volume", "vwap")


def days_in_parts(first: date, last: date, names: int, timeframe: Timeframe) -> Iterator[tuple[date, date]]:
    """The days from `first` to `last`, both included, in order and in parts of which each has `BARS_A_PART` bars of so
    many names at most, or is one day. A day has no more bars than from 04:00 to 20:00."""
    a_day = 1 if timeframe == "1Day" else timedelta(hours=16) // WIDTHS[timeframe]
    step = timedelta(days=max(BARS_A_PART // (a_day * max(names, 1)), 1))
    while first <= last:
        end = min(first + step - _DAY, last)
        yield first, end
        first = end + _DAY


def prices_of_bars(
    parts: Iterable[Mapping[str, Sequence[PriceBar]]],
    timeframe: Timeframe,
    sessions: Sequence[TradingHours],
    now: datetime,
    place: str,
) -> PriceHistory:
    """Bars of stocks as a broker reports them, as `read_prices` reads the same bars from a long file with their ends.
    parts: no bar is in two of them.

    sessions: those of all days that the bars are of. A bar that is not wholly inside its session, and one that has not
    ended at `now`, is left out and counted. Raises BrokerUnavailable when none is left, BadDocument as `read_prices`.
    """
    import pandas

    of_day = {hours.day: hours for hours in sessions}
    moments: dict[date | datetime, date | datetime] = {}  # each once: all names share them
    times: list[date | datetime] = []
    symbols: list[str] = []
    columns = {field: array("d") for field in _FIELDS}
    outside = unfinished = 0
    for bars in parts:
        for symbol, some in bars.items():
            for bar in some:
                hours = of_day.get(day_in_new_york(bar.begins))
                ends = _end(bar.begins, timeframe, hours)
                if hours is None or ends is None:
                    outside += 1
                elif ends > now:
                    unfinished += 1
                else:
                    moment = hours.day if timeframe == "1Day" else ends
                    times.append(moments.setdefault(moment, moment))
                    symbols.append(symbol)
                    for field, column in columns.items():
                        column.append(getattr(bar, field))
    if not times:
        said = f"{outside} outside regular sessions, {unfinished} not complete"
        raise BrokerUnavailable(f"{place} has no {timeframe} bars of these names and days ({said})")
    frame = pandas.DataFrame({"timestamp": times, "symbol": symbols, **columns})
    history = read_prices(frame)
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
