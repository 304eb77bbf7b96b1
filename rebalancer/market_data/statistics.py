"""Volatilities and correlation groups from daily closes, average true ranges from daily bars.

The first two are plain sample statistics of daily log returns. A symbol with too little history has none of them, and
the rules then use a conservative assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.brokers.protocol import DailyCloses

TRADING_DAYS_A_YEAR: Final = 252
RETURNS_MIN: Final = 40  # fewer daily returns are not meaningful
RETURNS_USED: Final = 120  # about half a year: long enough to be stable, short enough to be current
ATR_DAYS: Final = 14  # as Wilder defined it ("New Concepts in Technical Trading Systems", 1978)
ATR_STEP: Final = Decimal("0.0001")  # USD
ATR_MOST: Final = 1e12  # USD; anything larger is not a real price


def volatilities(closes: DailyCloses) -> Mapping[str, float]:
    """Annualised standard deviation of daily log returns per symbol; a symbol with too few returns is absent."""
    found: dict[str, float] = {}
    for symbol in closes.symbols:
        returns = _returns(closes.closes[symbol])
        if returns.size >= RETURNS_MIN:
            spread = float(np.std(returns, ddof=1)) * TRADING_DAYS_A_YEAR**0.5
            if np.isfinite(spread) and spread > 0:
                found[symbol] = round(spread, 6)
    return found


def true_ranges(closes: DailyCloses) -> Mapping[str, Decimal]:
    """Wilder's average true range of daily bars per symbol, USD per share, rounded to 0.0001; a symbol with too few
    bars is absent. Bars that lack any of the three prices are skipped."""
    found: dict[str, Decimal] = {}
    for symbol, bars in closes.bars.items():
        prices = np.array(bars[-RETURNS_USED - 1 :], dtype=np.float64).reshape(-1, 3)
        close, high, low = prices[np.isfinite(prices).all(axis=1)].T
        ranges = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
        if ranges.size < ATR_DAYS:
            continue
        average = float(ranges[:ATR_DAYS].mean())
        for one in ranges[ATR_DAYS:].tolist():
            average += (one - average) / ATR_DAYS
        rounded = Decimal(repr(average)).quantize(ATR_STEP) if 0 < average < ATR_MOST else Decimal(0)
        if rounded > 0:
            found[symbol] = rounded
    return found


def correlation_groups(closes: DailyCloses, threshold: float) -> Mapping[str, str]:
    """Group symbols whose daily returns correlate above the threshold, directly or through others (single linkage).

    A group is named after its first symbol; a symbol that correlates with no other forms its own group. A symbol with
    too few common returns is absent.
    """
    symbols = [s for s in closes.symbols if _returns(closes.closes[s]).size >= RETURNS_MIN]
    if not symbols:
        return {}
    matrix = np.array([closes.closes[s][-RETURNS_USED - 1 :] for s in symbols], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = np.diff(np.log(matrix), axis=1)
    days = np.isfinite(returns).all(axis=0)
    if int(days.sum()) < RETURNS_MIN:
        return {}
    related = np.atleast_2d(np.corrcoef(returns[:, days])) > threshold
    group = list(range(len(symbols)))
    for i in range(len(symbols)):
        for j in range(i):
            if related[i, j] and group[i] != group[j]:
                low, high = sorted((group[i], group[j]))
                group = [low if g == high else g for g in group]
    return {symbol: symbols[group[i]] for i, symbol in enumerate(symbols)}


def _returns(closes: tuple[float, ...]) -> NDArray[np.float64]:
    prices = np.array(closes[-RETURNS_USED - 1 :], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = np.diff(np.log(prices))
    return returns[np.isfinite(returns)]
