"""Comparison with a benchmark: its daily closes, and statistics of two return series over the same days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.performance.finite import FLAT, finite, over
from rebalancer.performance.ratios import DAYS, annual_return, volatility
from rebalancer.performance.records import DayValue
from rebalancer.performance.returns import Series, time_weighted


class Benchmark(NamedTuple):
    """Daily closes, oldest first."""

    name: str = ""
    days: tuple[date, ...] = ()
    closes: tuple[float, ...] = ()


class AgainstBenchmark(NamedTuple):
    """A return series compared with a benchmark over the same days. `alpha` and `tracking_error` are annualised,
    `alpha` with compounding; `information` is daily; `up_capture` and `down_capture` compare annual returns over the
    days on which the benchmark rose and fell; `excess` is the difference of the total returns."""

    days: int
    alpha: float | None
    beta: float | None
    correlation: float | None
    tracking_error: float | None
    information: float | None
    up_capture: float | None
    down_capture: float | None
    benchmark_return: float | None
    excess: float | None


def compared(
    has_opening: bool,
    opened_on: date | None,
    own: Sequence[DayValue],
    returns: Series,
    benchmark: Benchmark,
    risk_free: float,
) -> AgainstBenchmark | None:
    """Both series, restricted to our days for which the benchmark has a close at the beginning and at the end."""
    closes = dict(zip(benchmark.days, benchmark.closes, strict=True))
    days = [day.day for day in own]
    befores = [opened_on, *days] if has_opening else days
    pairs = [
        (mine, closes[day] / closes[before] - 1.0)
        for before, day, mine in zip(befores, days if has_opening else days[1:], returns, strict=False)
        if before in closes and day in closes and before != day
    ]
    if not pairs:
        return None
    mine, other = np.array(pairs).T
    return against(mine, other, risk_free)


def against(returns: Series, benchmark: Series, risk_free: float = 0.0) -> AgainstBenchmark:
    """Compare daily returns with a benchmark's, both of shape (n,) and of the same days. risk_free: annual rate."""
    assert returns.shape == benchmark.shape, "both series are of the same days"
    daily = risk_free / DAYS
    apart = returns - benchmark
    slope = beta(returns, benchmark)
    alpha = None
    if slope is not None:
        with np.errstate(over="ignore"):
            a_day = np.mean((returns - daily) - slope * (benchmark - daily))
            alpha = finite(float((1.0 + a_day) ** DAYS - 1.0))
    total, other = time_weighted(returns), time_weighted(benchmark)
    return AgainstBenchmark(
        days=returns.size,
        alpha=alpha,
        beta=slope,
        correlation=_correlation(returns, benchmark),
        tracking_error=volatility(apart),
        information=over(np.mean(apart), np.std(apart, ddof=1)) if returns.size > 1 else None,
        up_capture=_capture(returns, benchmark, benchmark > 0),
        down_capture=_capture(returns, benchmark, benchmark < 0),
        benchmark_return=other,
        excess=None if total is None or other is None else total - other,
    )


def beta(returns: Series, benchmark: Series) -> float | None:
    """Covariance divided by the benchmark's variance."""
    if returns.size < 2:
        return None
    apart = benchmark - np.mean(benchmark)
    variance = float(np.mean(apart**2))
    return None if variance <= FLAT**2 else over(np.mean(apart * (returns - np.mean(returns))), variance)


def _correlation(returns: Series, benchmark: Series) -> float | None:
    if returns.size < 2 or np.std(returns) <= FLAT or np.std(benchmark) <= FLAT:
        return None
    return float(np.corrcoef(returns, benchmark)[0, 1])


def _capture(returns: Series, benchmark: Series, chosen: NDArray[np.bool_]) -> float | None:
    mine, other = annual_return(returns[chosen]), annual_return(benchmark[chosen])
    if mine is None or other is None or abs(other) <= FLAT:
        return None
    return finite(mine / other)
