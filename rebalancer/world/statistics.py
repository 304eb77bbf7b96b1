"""Volatilities and correlation groups from daily closes.

Both are plain sample statistics of daily log returns. A name with too little history has neither, and then the rules
take the careful assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.world.ports import DailyCloses

TRADING_DAYS_A_YEAR: Final = 252
RETURNS_MIN: Final = 40  # fewer daily returns than this say nothing
RETURNS_USED: Final = 120  # about half a year: old enough to be stable, young enough to be true


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


def correlation_groups(closes: DailyCloses, threshold: float) -> Mapping[str, str]:
    """Group names whose daily returns correlate above the threshold, directly or through others (single linkage).

    A group is named after its first symbol; a name that correlates with nobody is a group of its own. A symbol with
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
