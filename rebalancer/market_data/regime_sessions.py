"""What the market's regime is judged by: closes of the benchmark and of the names of the day, session by session.

Sessions are those of the published calendar that ended before the day of the reference data. A session on which the
benchmark has no close counts as missing, also the newest ones, whose bars may be late.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.market_data.trading_calendar import published_hours
from rebalancer.regimes.measures import HISTORY_SESSIONS, SessionMeasures, measure_sessions

_CALENDAR_DAYS: Final = HISTORY_SESSIONS * 365 // 252 + 10


def sessions_before(day: date) -> tuple[date, ...]:
    """The sessions before a day that a whole measure rests on, oldest first."""
    found = [hours.day for hours in published_hours(day - timedelta(days=_CALENDAR_DAYS), day - timedelta(days=1))]
    return tuple(found[-HISTORY_SESSIONS:])


def regime_sessions(
    benchmark: DailyCloses, names: DailyCloses, before: date, names_min: int
) -> tuple[SessionMeasures, ...]:
    """The measures of every session before a day.

    benchmark: closes of one symbol, or of none. names: closes that count for breadth. names_min: with fewer there is no
    breadth.
    """
    days = sessions_before(before)
    own = _rows(benchmark, benchmark.symbols[:1], days)
    closes = own[:, 0] if own.shape[1] else np.full(len(days), np.nan)
    others = tuple(name for name in names.symbols if name not in benchmark.symbols)
    return measure_sessions(days, closes, _rows(names, others, days), names_min)


def _rows(closes: DailyCloses, symbols: tuple[str, ...], days: tuple[date, ...]) -> NDArray[np.float64]:
    """Closes on these days, NaN where there are none; shape (days, symbols)."""
    place = {day: i for i, day in enumerate(closes.days)}
    found = np.full((len(days), len(symbols)), np.nan)
    rows = [(i, place[day]) for i, day in enumerate(days) if day in place]
    if rows:
        here, there = (list(part) for part in zip(*rows, strict=True))
        for k, symbol in enumerate(symbols):
            found[here, k] = np.array(closes.closes[symbol], dtype=np.float64)[there]
    return found
