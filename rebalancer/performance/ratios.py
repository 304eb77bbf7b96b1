"""The figures of a series of daily returns. Everything is None where it is not defined, never infinite or NaN.

Definitions are those of the common libraries (see docs/performance.md), so that numbers can be compared: a year has 252
trading days, standard deviations are of the sample (n - 1), rates a year are turned into daily ones by dividing.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rebalancer.performance.finite import FLAT, finite, over
from rebalancer.performance.returns import Series, drawdowns, time_weighted

DAYS: Final = 252
TAIL: Final = 0.05


def annual_return(returns: Series) -> float | None:
    """The compound rate of 252 days."""
    total = time_weighted(returns)
    if total is None or total <= -1.0:
        return None if total is None else -1.0
    with np.errstate(over="ignore"):
        return finite(float(np.float64(1.0 + total) ** (DAYS / returns.size) - 1.0))


def volatility(returns: Series) -> float | None:
    """Standard deviation, a year."""
    return None if returns.size < 2 else finite(float(np.std(returns, ddof=1) * math.sqrt(DAYS)))


def sharpe(returns: Series, risk_free: float = 0.0) -> float | None:
    """Mean above the risk-free rate per unit of deviation, a year (Sharpe 1994). risk_free: a year."""
    excess = returns - risk_free / DAYS
    return None if returns.size < 2 else over(np.mean(excess), np.std(excess, ddof=1), math.sqrt(DAYS))


def downside_deviation(returns: Series, risk_free: float = 0.0) -> float | None:
    """Root mean square of what fell short of the rate, over all days, a year (Sortino and Price 1994)."""
    if returns.size < 2:
        return None
    short = np.minimum(returns - risk_free / DAYS, 0.0)
    return float(np.sqrt(np.mean(short**2)) * math.sqrt(DAYS))


def sortino(returns: Series, risk_free: float = 0.0) -> float | None:
    """Mean above the rate per unit of downside deviation, a year."""
    below = downside_deviation(returns, risk_free)
    return None if below is None else over(np.mean(returns - risk_free / DAYS) * DAYS, below)


def max_drawdown(returns: Series) -> float | None:
    """The deepest fall below an earlier high, zero or less."""
    return float(np.min(drawdowns(returns))) if returns.size else None


def drawdown_days(returns: Series) -> int:
    """The longest run of days below an earlier high."""
    longest = run = 0
    for below in drawdowns(returns) < 0:
        run = run + 1 if below else 0
        longest = max(longest, run)
    return longest


def calmar(returns: Series) -> float | None:
    """Annual return over the deepest drawdown (Young 1991)."""
    yearly, fall = annual_return(returns), max_drawdown(returns)
    return None if yearly is None or fall is None else over(yearly, -fall)


def omega(returns: Series, risk_free: float = 0.0) -> float | None:
    """What was gained above the rate over what fell short of it (Keating and Shadwick 2002). risk_free: a year,
    compounded to a day."""
    excess = returns - ((1.0 + risk_free) ** (1.0 / DAYS) - 1.0)
    return over(np.sum(excess[excess > 0]), -np.sum(excess[excess < 0]))


def value_at_risk(returns: Series, tail: float = TAIL) -> float | None:
    """The historical quantile: on one day in twenty the return was below this."""
    return float(np.quantile(returns, tail)) if returns.size else None


def conditional_value_at_risk(returns: Series, tail: float = TAIL) -> float | None:
    """The mean of the worst days, one in twenty (Rockafellar and Uryasev 2000)."""
    if not returns.size:
        return None
    last = int((returns.size - 1) * tail)
    return float(np.mean(np.partition(returns, last)[: last + 1]))


def tail_ratio(returns: Series) -> float | None:
    """The 95 % quantile over the 5 % one, without signs."""
    if not returns.size:
        return None
    return over(abs(np.quantile(returns, 1 - TAIL)), abs(np.quantile(returns, TAIL)))


def ulcer_index(returns: Series) -> float | None:
    """Root of the squared drawdowns' sum over n - 1 (Martin 1987)."""
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
