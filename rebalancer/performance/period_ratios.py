"""All ratios of one period's daily returns, as shown on screen and in reports."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rebalancer.performance import ratios
from rebalancer.performance.ratios import DAYS_FOR_RATES
from rebalancer.performance.returns import Series, growth


class Ratios(NamedTuple):
    """Ratios of the daily returns. Annual ones (the first five) are for 252 days. All but the drawdown, the best and
    worst day and the counts are None for fewer returns than `DAYS_FOR_RATES`. The drawdown here is of daily closes, as
    the ratios built on it; what pages and screens show is `performance.drawdown`."""

    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    omega: float | None
    max_drawdown: float | None
    drawdown_now: float | None
    drawdown_days: int
    value_at_risk: float | None
    conditional_value_at_risk: float | None
    tail_ratio: float | None
    ulcer_index: float | None
    skew: float | None
    kurtosis: float | None
    best_day: float | None
    worst_day: float | None
    days_up: int
    days_down: int


def ratios_of(returns: Series, risk_free: float) -> Ratios:
    """Every ratio of a period's daily returns. risk_free: annual rate."""
    course = growth(returns)
    many = returns.size >= DAYS_FOR_RATES
    return Ratios(
        annual_return=ratios.annual_return(returns) if many else None,
        volatility=ratios.volatility(returns) if many else None,
        sharpe=ratios.sharpe(returns, risk_free) if many else None,
        sortino=ratios.sortino(returns, risk_free) if many else None,
        calmar=ratios.calmar(returns) if many else None,
        omega=ratios.omega(returns, risk_free) if many else None,
        max_drawdown=ratios.max_drawdown(returns),
        drawdown_now=float(course[-1] / course.max() - 1.0) if returns.size else None,
        drawdown_days=ratios.drawdown_days(returns),
        value_at_risk=ratios.value_at_risk(returns) if many else None,
        conditional_value_at_risk=ratios.conditional_value_at_risk(returns) if many else None,
        tail_ratio=ratios.tail_ratio(returns) if many else None,
        ulcer_index=ratios.ulcer_index(returns) if many else None,
        skew=ratios.skew(returns) if many else None,
        kurtosis=ratios.kurtosis(returns) if many else None,
        best_day=float(returns.max()) if returns.size else None,
        worst_day=float(returns.min()) if returns.size else None,
        days_up=int(np.sum(returns > 0)),
        days_down=int(np.sum(returns < 0)),
    )
