"""Ratios of a series of daily returns. Each is None where it cannot be said: never infinite, never NaN.

Definitions as in the field's usual libraries (tests hold them against two of them to 1e-9): 252 days a year, sample
deviation (n - 1), downside deviation over all days, drawdown from the highest value so far including the start.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.performance.returns import drawdowns

Floats = NDArray[np.float64]
DAYS: Final = 252
FLAT: Final = 1e-15  # a deviation below it is that of a constant series


def volatility(returns: Floats) -> float | None:
    """Deviation of daily returns, a year."""
    return _finite(float(np.std(returns, ddof=1)) * math.sqrt(DAYS)) if returns.size > 1 else None


def annual_return(returns: Floats) -> float | None:
    """The time-weighted return a year, compounded. Of a short time it says little; it is told all the same."""
    if not returns.size:
        return None
    ended = float(np.prod(1.0 + returns))
    return _finite(ended ** (DAYS / returns.size) - 1.0) if ended > 0 else -1.0


def sharpe(returns: Floats, risk_free: float = 0.0) -> float | None:
    """Mean over deviation of what daily returns are above the risk-free rate, x sqrt(252). risk_free: a year."""
    if returns.size < 2:
        return None
    excess = returns - risk_free / DAYS
    deviation = float(np.std(excess, ddof=1))
    return _finite(float(np.mean(excess)) / deviation * math.sqrt(DAYS)) if deviation > FLAT else None


def sortino(returns: Floats, risk_free: float = 0.0) -> float | None:
    """Mean over downside deviation (root mean square of negative excess returns, all days counted), x sqrt(252)."""
    if returns.size < 2:
        return None
    excess = returns - risk_free / DAYS
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return _finite(float(np.mean(excess)) / downside * math.sqrt(DAYS)) if downside > FLAT else None


def max_drawdown(returns: Floats) -> float | None:
    """The largest fall from a peak: 0 or negative."""
    return float(np.min(drawdowns(returns))) if returns.size else None


def calmar(returns: Floats) -> float | None:
    """Annual return over the size of the largest drawdown."""
    worst, yearly = max_drawdown(returns), annual_return(returns)
    if worst is None or yearly is None or worst > -FLAT:
        return None
    return _finite(yearly / -worst)


def value_at_risk(returns: Floats, part: float = 0.05) -> float | None:
    """The daily return that this part of all days fell below (historical, linear between two days)."""
    return float(np.percentile(returns, part * 100)) if returns.size else None


def expected_shortfall(returns: Floats, part: float = 0.05) -> float | None:
    """The mean of the worst days: this part of all, at least one."""
    if not returns.size:
        return None
    count = max(int((returns.size - 1) * part) + 1, 1)
    return float(np.mean(np.sort(returns)[:count]))


def beta(returns: Floats, benchmark: Floats) -> float | None:
    """How much the benchmark's daily moves are found in ours: covariance over the benchmark's variance."""
    if returns.size < 2 or returns.shape != benchmark.shape:
        return None
    variance = float(np.var(benchmark, ddof=1))
    if variance <= FLAT:
        return None
    return _finite(float(np.cov(returns, benchmark, ddof=1)[0, 1]) / variance)


def alpha(returns: Floats, benchmark: Floats, risk_free: float = 0.0) -> float | None:
    """The yearly return that beta does not explain, compounded (Jensen 1968)."""
    slope = beta(returns, benchmark)
    if slope is None:
        return None
    daily = risk_free / DAYS
    left = float(np.mean((returns - daily) - slope * (benchmark - daily)))
    return _finite((1.0 + left) ** DAYS - 1.0) if left > -1 else None


def rolling(returns: Floats, window: int) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Volatility and Sharpe ratio of the last `window` days, for every day; None where there are fewer."""
    spans = [returns[max(i + 1 - window, 0) : i + 1] for i in range(returns.size)]
    whole = [span if span.size == window else None for span in spans]
    return (
        tuple(None if span is None else volatility(span) for span in whole),
        tuple(None if span is None else sharpe(span) for span in whole),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
