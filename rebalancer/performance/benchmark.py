"""Comparison with a benchmark: its daily closes, and statistics of two return series over the same days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.performance.finite import FLAT, finite, over
from rebalancer.performance.ratios import DAYS, DAYS_FOR_RATES, annual_return, volatility
from rebalancer.performance.returns import Series, time_weighted

ONE_DAY: Final = timedelta(days=1)


class Benchmark(NamedTuple):
    """Daily closes, oldest first. regimes: of the market on days on which it was judged, by name."""

    name: str = ""
    days: tuple[date, ...] = ()
    closes: tuple[float, ...] = ()
    regimes: Mapping[date, str] = {}


class BenchmarkSpan(NamedTuple):
    """The benchmark over the days of an account: `closes` has one value per day (None: no close). `base` is the close
    with which the first day begins, that of `base_day`; None when the closes begin later."""

    base_day: date | None
    base: float | None
    closes: tuple[float | None, ...]


class AgainstBenchmark(NamedTuple):
    """A return series compared with a benchmark over the same days: from the close of `first` to that of `last`. Both
    returns, `own_return` and `benchmark_return`, and their difference `excess` are of exactly these days.

    `alpha` and `tracking_error` are annualised, `alpha` with compounding; `information` is daily; `up_capture` and
    `down_capture` compare annual returns over the days on which the benchmark rose and fell. These statistics are None
    for fewer than `DAYS_FOR_RATES` days."""

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
    own_return: float | None = None
    first: date | None = None
    last: date | None = None


def span_of_benchmark(benchmark: Benchmark, opened_on: date | None, days: Sequence[date]) -> BenchmarkSpan:
    """The benchmark over these days of an account, whose first return begins with the value of `opened_on`: the one
    window of charts, returns and statistics. A first day that began within the day counts from the close before it."""
    closes = dict(zip(benchmark.days, benchmark.closes, strict=True))
    known = tuple(closes.get(day) for day in days)
    if not days:
        return BenchmarkSpan(None, None, ())
    begins = opened_on if opened_on is not None and opened_on < days[0] else days[0] - ONE_DAY
    base_day = next((day for day in reversed(benchmark.days) if day <= begins), None)
    return BenchmarkSpan(base_day, None if base_day is None else closes[base_day], known)


def scaled(span: BenchmarkSpan, growth: Sequence[float]) -> tuple[float | None, ...]:
    """The benchmark on the scale of `growth`, one value per day. A benchmark whose closes begin later begins on the
    line of the account, so that both start together."""
    base, at = span.base, 1.0
    if base is None:
        first = next((i for i, close in enumerate(span.closes) if close is not None), None)
        if first is None:
            return (None,) * len(span.closes)
        base, at = span.closes[first], growth[first]
    assert base is not None
    return tuple(None if close is None else close / base * at for close in span.closes)


def compared(span: BenchmarkSpan, days: Sequence[date], returns: Series, risk_free: float) -> AgainstBenchmark | None:
    """Both series, restricted to the days that have a close at their beginning and at their end; None without any."""
    if not days:
        return None
    befores = [span.base, *span.closes[:-1]]
    pairs = [
        (mine, after / before - 1.0, number)
        for number, (mine, before, after) in enumerate(zip(returns, befores, span.closes, strict=True))
        if before is not None and after is not None
    ]
    if not pairs:
        return None
    mine, other = (np.array([pair[side] for pair in pairs], dtype=np.float64) for side in (0, 1))
    start, end = pairs[0][2], pairs[-1][2]
    found = against(mine, other, risk_free)._replace(
        own_return=time_weighted(mine),
        first=days[start - 1] if start else span.base_day,
        last=days[end],
    )
    if found.days >= DAYS_FOR_RATES:
        return found
    return found._replace(
        alpha=None,
        beta=None,
        correlation=None,
        tracking_error=None,
        information=None,
        up_capture=None,
        down_capture=None,
    )


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
