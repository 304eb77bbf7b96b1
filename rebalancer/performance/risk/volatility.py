"""Ex-ante volatility: how much the current portfolio would have moved."""

from __future__ import annotations

from rebalancer.performance.ratios import volatility
from rebalancer.performance.returns import Series
from rebalancer.performance.risk.common import Matrix


def book_volatility(weights: Series, returns: Matrix) -> float | None:
    """The square root of weights x covariance x weights, annualised; None for fewer than two days.

    weights: signed fractions of equity, shape (names,). returns: daily, shape (days, names). The covariance is the
    sample covariance (n - 1), so this is the standard deviation of the returns that these weights would have had.
    """
    return volatility(returns @ weights)
