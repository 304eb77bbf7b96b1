"""How much a book as it is held would have moved: the ex-ante volatility."""

from __future__ import annotations

from rebalancer.performance.ratios import volatility
from rebalancer.performance.returns import Series
from rebalancer.performance.risk.common import Matrix


def book_volatility(weights: Series, returns: Matrix) -> float | None:
    """The square root of weights x covariance x weights, a year; None of fewer than two days.

    weights: signed fractions of equity, shape (names,). returns: daily, shape (days, names). The covariance is that of
    the sample (n - 1), so this is the deviation of the returns that these weights would have had.
    """
    return volatility(returns @ weights)
