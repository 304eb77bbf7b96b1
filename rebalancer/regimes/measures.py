"""Trend, volatility, breadth and drawdown at the end of every session, from that session's closes and earlier ones.

Nothing after a session changes what is measured at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TREND_SESSIONS: Final = 200
SLOPE_SESSIONS: Final = 20  # over which the mean of the trend rises or falls
VOLATILITY_SESSIONS: Final = 20
VOLATILITY_HISTORY: Final = 756  # three years, with which a volatility is compared
DRAWDOWN_SESSIONS: Final = 252
BREADTH_SESSIONS: Final = 50
GONE_SESSIONS: Final = 10  # a name without a close for longer no longer counts
CLOSES_MIN: Final = TREND_SESSIONS + SLOPE_SESSIONS  # closes of the benchmark before there is a measure
HISTORY_SESSIONS: Final = VOLATILITY_HISTORY + CLOSES_MIN  # what a whole measure rests on

Floats = NDArray[np.float64]


class Measures(NamedTuple):
    """What is measured at one session, as fractions.

    trend: close / its mean of 200 sessions - 1. slope: that mean / the one of 20 sessions before - 1. volatility: the
    part of the deviations of 20 daily log returns in three years that are below this one, 0 to 1. drawdown: below the
    highest close of 252 sessions, 0 or more. breadth: part of the names above their mean of 50 sessions; None where
    they are too few.
    """

    trend: float
    slope: float
    volatility: float
    drawdown: float
    breadth: float | None = None


class SessionMeasures(NamedTuple):
    """One session. values: None where the benchmark has no close, or too few closes so far; has_close tells which."""

    day: date
    has_close: bool
    values: Measures | None


def measure_sessions(
    days: Sequence[date], closes: Sequence[float] | Floats, names: Floats | None = None, names_min: int = 1
) -> tuple[SessionMeasures, ...]:
    """Measure every session.

    closes: of the benchmark, shape (sessions,). names: closes that count for breadth, shape (sessions, names). A close
    that is not finite and above zero is missing. names_min: with fewer names there is no breadth. A name without a
    close at a session counts as not above its mean, until it has been without for `GONE_SESSIONS`.
    """
    series = np.asarray(closes, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(series) & (series > 0))
    prices = series[known]
    breadth = [None] * len(days) if names is None else breadths(np.asarray(names, dtype=np.float64), names_min)
    found: list[Measures | None] = [None] * len(days)
    if prices.size >= CLOSES_MIN:
        trend, slope, volatility, drawdown = _of_benchmark(prices)
        for k in range(CLOSES_MIN - 1, prices.size):
            at = int(known[k])
            found[at] = Measures(
                float(trend[k]), float(slope[k]), float(volatility[k]), float(drawdown[k]), breadth[at]
            )
    there = set(known.tolist())
    return tuple(SessionMeasures(day, i in there, found[i]) for i, day in enumerate(days))


def _of_benchmark(prices: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Trend, slope, volatility and drawdown at every close; only those from `CLOSES_MIN` on are complete."""
    mean = _trailing_mean(prices, TREND_SESSIONS)
    before = np.concatenate((np.full(SLOPE_SESSIONS, np.nan), mean[:-SLOPE_SESSIONS]))
    deviation = np.full(prices.size, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.diff(np.log(prices)), VOLATILITY_SESSIONS)
    deviation[VOLATILITY_SESSIONS:] = windows.std(axis=1, ddof=1)
    rank = np.full(prices.size, np.nan)
    for k in range(CLOSES_MIN - 1, prices.size):
        past = deviation[max(VOLATILITY_SESSIONS, k - VOLATILITY_HISTORY + 1) : k + 1]
        rank[k] = np.count_nonzero(past < deviation[k]) / max(past.size - 1, 1)
    high = np.array([prices[max(0, k - DRAWDOWN_SESSIONS + 1) : k + 1].max() for k in range(prices.size)])
    return prices / mean - 1, mean / before - 1, rank, 1 - prices / high


def _trailing_mean(prices: Floats, length: int) -> Floats:
    """The mean of the last closes at every one; NaN before there are so many."""
    found = np.full(prices.size, np.nan)
    if prices.size >= length:
        found[length - 1 :] = np.lib.stride_tricks.sliding_window_view(prices, length).mean(axis=1)
    return found


def breadths(names: Floats, names_min: int) -> list[float | None]:
    """The part of the names above their mean of 50 sessions, at every session. names: shape (sessions, names)."""
    above, begins = np.zeros(len(names)), np.zeros(len(names) + 1)
    for column in names.T:
        known = np.flatnonzero(np.isfinite(column) & (column > 0))
        if known.size < BREADTH_SESSIONS:
            continue
        prices = column[known]
        above[known[prices > _trailing_mean(prices, BREADTH_SESSIONS)]] += 1
        # Counted from its fiftieth close on, and until it has been without one for `GONE_SESSIONS`.
        first = known[BREADTH_SESSIONS - 1 :]
        until = np.minimum(np.append(first[1:], len(names)), first + GONE_SESSIONS + 1)
        np.add.at(begins, first, 1)
        np.add.at(begins, until, -1)
    counted = np.cumsum(begins)[:-1]
    return [
        float(a / n) if n >= max(names_min, 1) else None for a, n in zip(above.tolist(), counted.tolist(), strict=True)
    ]
