"""Ratios of a series of daily returns. Each is None where it is undefined, never infinite or NaN.

Definitions follow the common libraries (see docs/reference/performance.md), so that results are comparable: a year
has 252 trading days, standard deviations are sample deviations (n - 1), annual rates are converted to daily by
division.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rebalancer.performance.finite import FLAT, finite, over
from rebalancer.performance.returns import Series, drawdowns, time_weighted

DAYS: Final = 252
DAYS_FOR_RATES: Final = 20  # daily returns; a statistic of fewer is meaningless
TAIL: Final = 0.05


def annual_return(returns: Series) -> float | None:
    """The compound rate per 252 days."""
    total = time_weighted(returns)
    if total is None or total <= -1.0:
        return None if total is None else -1.0
    with np.errstate(over="ignore"):
        return finite(float(np.float64(1.0 + total) ** (DAYS / returns.size) - 1.0))


def volatility(returns: Series) -> float | None:
    """Annualised standard deviation."""
    return None if returns.size < 2 else finite(float(np.std(returns, ddof=1) * math.sqrt(DAYS)))


def sharpe(returns: Series, risk_free: float = 0.0) -> float | None:
    """Mean excess return per unit of standard deviation, annualised (Sharpe 1994). risk_free: annual rate."""
    excess = returns - risk_free / DAYS
    return None if returns.size < 2 else over(np.mean(excess), np.std(excess, ddof=1), math.sqrt(DAYS))


def downside_deviation(returns: Series, risk_free: float = 0.0) -> float | None:
    """Root mean square shortfall below the rate over all days, annualised (Sortino and Price 1994)."""
    if returns.size < 2:
        return None
    short = np.minimum(returns - risk_free / DAYS, 0.0)
    return float(np.sqrt(np.mean(short**2)) * math.sqrt(DAYS))


def sortino(returns: Series, risk_free: float = 0.0) -> float | None:
    """Mean excess return per unit of downside deviation, annualised."""
    below = downside_deviation(returns, risk_free)
    return None if below is None else over(np.mean(returns - risk_free / DAYS) * DAYS, below)


def max_drawdown(returns: Series) -> float | None:
    """The deepest decline from an earlier high, zero or less."""
    return float(np.min(drawdowns(returns))) if returns.size else None


def drawdown_days(returns: Series) -> int:
    """The longest number of consecutive days below an earlier high."""
    longest = run = 0
    for below in drawdowns(returns) < 0:
        run = run + 1 if below else 0
        longest = max(longest, run)
    return longest


def calmar(returns: Series) -> float | None:
    """Annual return divided by the maximum drawdown (Young 1991)."""
    yearly, fall = annual_return(returns), max_drawdown(returns)
    return None if yearly is None or fall is None else over(yearly, -fall)


def omega(returns: Series, risk_free: float = 0.0) -> float | None:
    """Sum of gains above the rate divided by the sum of shortfalls below it (Keating and Shadwick 2002). risk_free:
    annual rate, converted to daily by compounding."""
    excess = returns - ((1.0 + risk_free) ** (1.0 / DAYS) - 1.0)
    return over(np.sum(excess[excess > 0]), -np.sum(excess[excess < 0]))


def value_at_risk(returns: Series, tail: float = TAIL) -> float | None:
    """The historical quantile: by default, the return was below this on one day in twenty."""
    return float(np.quantile(returns, tail)) if returns.size else None


def conditional_value_at_risk(returns: Series, tail: float = TAIL) -> float | None:
    """The mean return of the worst days, by default one in twenty (Rockafellar and Uryasev 2000)."""
    if not returns.size:
        return None
    last = int((returns.size - 1) * tail)
    return float(np.mean(np.partition(returns, last)[: last + 1]))


def tail_ratio(returns: Series) -> float | None:
    """The 95 % quantile divided by the 5 % quantile, in absolute value."""
    if not returns.size:
        return None
    return over(abs(np.quantile(returns, 1 - TAIL)), abs(np.quantile(returns, TAIL)))


def ulcer_index(returns: Series) -> float | None:
    """The root of the sum of squared drawdowns divided by n - 1 (Martin 1987)."""
    if returns.size < 2:
        return None
    return float(np.sqrt(np.sum(drawdowns(returns) ** 2) / (returns.size - 1)))


def skew(returns: Series) -> float | None:
    """Adjusted Fisher-Pearson skewness of the sample."""
    n = returns.size
    if n < 3:
        return None
    apart = returns - np.mean(returns)
    spread = float(np.mean(apart**2))
    factor = math.sqrt(n * (n - 1)) / (n - 2)
    return None if spread <= FLAT**2 else finite(float(factor * np.mean(apart**3) / spread**1.5))


def kurtosis(returns: Series) -> float | None:
    """Excess kurtosis of the sample, adjusted for its size."""
    n = returns.size
    if n < 4:
        return None
    apart = returns - np.mean(returns)
    spread = float(np.mean(apart**2))
    if spread <= FLAT**2:
        return None
    raw = np.mean(apart**4) / spread**2 - 3.0
    return finite(float((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * raw + 6.0)))
