"""Volatilities, correlation groups and sectors for every day of a market, as the live program reads them at its start.

They are the statistics of `market_data.statistics` on the closes of earlier days alone. Correlation groups are computed
anew every `GROUP_DAYS` trading days, and only for rules under which they can matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Regime
from rebalancer.core.rules import Rules
from rebalancer.market_data.sectors import SectorRow
from rebalancer.market_data.statistics import RETURNS_MIN, RETURNS_USED, TRADING_DAYS_A_YEAR
from rebalancer.regimes.machine import regimes_through, start_regime
from rebalancer.regimes.measures import measure_sessions
from rebalancer.research.market import NO_ACTIONS, ActionColumns, Floats, Integers, Market, ReferenceColumns

GROUP_DAYS: Final = 21
NAMES_AT_ONCE: Final = 32


def reference_columns(
    market: Market, sectors: Mapping[str, SectorRow], rules: Rules, actions: ActionColumns = NO_ACTIONS
) -> ReferenceColumns:
    """What is known about every name on every trading day, before its first bar. Returns are those of a holder: with
    dividends, and whole across splits."""
    _, first, row = np.unique(market.day, return_index=True, return_inverse=True)
    closes = _daily_closes(market, first)
    known = [sectors.get(symbol) for symbol in market.symbols]
    with np.errstate(invalid="ignore", divide="ignore"):
        returns = np.diff(np.log(closes), axis=0)
    grows = (actions.new > 0) & (row[actions.bar] > 0)
    np.add.at(returns, (row[actions.bar[grows]] - 1, actions.name[grows]), np.log(growth_of(market, actions)[grows]))
    return ReferenceColumns(
        row.astype(np.int64),
        _volatility(returns, len(closes)),
        _clusters(returns, len(closes), rules),
        tuple(None if one is None else one.sector for one in known),
        tuple(None if one is None else one.correlation_group for one in known),
        _regimes(market, closes, row, rules, actions) if rules.regime.enabled else (),
    )


def _regimes(market: Market, closes: Floats, row: Integers, rules: Rules, actions: ActionColumns) -> tuple[Regime, ...]:
    """The regime of every trading day, from the closes of earlier days. Raises BadDocument where the benchmark is not
    among the names."""
    name = rules.regime.judged_by(rules.reporting.benchmark)
    if name not in market.symbols:
        raise BadDocument(
            "backtest", f"regime.enabled: the prices have no column of the benchmark, {name}",
            "add its prices (it need not be traded), name another regime.benchmark, or set regime.enabled to false",
        )  # fmt: skip
    growth = np.ones_like(closes)
    grows = actions.new > 0
    np.multiply.at(growth, (row[actions.bar[grows]], actions.name[grows]), growth_of(market, actions)[grows])
    held = closes * np.cumprod(growth, axis=0)  # what a share of the first day is worth
    days = [date.fromordinal(day) for day in np.unique(market.day).tolist()]
    at = market.symbols.index(name)
    sessions = measure_sessions(days, held[:, at], np.delete(held, at, axis=1), rules.regime.breadth_names)
    start = start_regime(days[0] - timedelta(days=1))
    return (start, *regimes_through(start, sessions[:-1], rules.regime))


def growth_of(market: Market, actions: ActionColumns) -> Floats:
    """What each action makes of a share at the close of its bar, as a factor; 0 where a name is delisted. What is paid
    at a bar without a price is left out: the name is delisted there."""
    close = market.close[actions.bar, actions.name]
    paid = np.where((actions.new > 0) & (close > 0), actions.cash / close, 0.0)
    return np.asarray(actions.new / actions.old * (1 + paid))


def _daily_closes(market: Market, first: Integers) -> Floats:
    """The last price of every name on every day; NaN where it has none, shape (days, names)."""
    ends = np.append(first[1:], len(market.times))
    if (ends - first == 1).all():
        return market.close
    found: Floats = market.close[ends - 1]
    for i in np.flatnonzero(np.isnan(found).any(axis=0)).tolist():
        place = np.where(np.isnan(market.close[:, i]), -1, np.arange(len(market.times)))
        place = np.maximum.accumulate(place)[ends - 1]
        found[:, i] = np.where(place >= first, market.close[np.maximum(place, 0), i], np.nan)
    return found


def _volatility(returns: Floats, days: int) -> Floats:
    """The annualised deviation of the last returns before each day, some names at a time."""
    found = np.empty((days, returns.shape[1]))
    for at in range(0, returns.shape[1], NAMES_AT_ONCE):
        some = slice(at, at + NAMES_AT_ONCE)
        found[:, some] = _deviation(returns[:, some], days)
    return found


def _deviation(returns: Floats, days: int) -> Floats:
    """The same of some names, by sums that later days do not change."""
    ok = np.isfinite(returns)
    filled = np.where(ok, returns, 0.0)
    zero = np.zeros((1, returns.shape[1]))
    total, square, count = (np.concatenate((zero, np.cumsum(a, axis=0))) for a in (filled, filled**2, ok * 1.0))
    last = np.maximum(np.arange(days) - 1, 0)  # returns known before day k: the first k - 1
    start = np.maximum(last - RETURNS_USED, 0)
    n = count[last] - count[start]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total[last] - total[start]) / n
        variance = (square[last] - square[start] - n * mean**2) / (n - 1)
        found = np.round(np.sqrt(np.maximum(variance, 0.0)) * TRADING_DAYS_A_YEAR**0.5, 6)
    return np.where((n >= RETURNS_MIN) & (found > 0), found, np.nan)


def _clusters(returns: Floats, days: int, rules: Rules) -> NDArray[np.int32]:
    found = np.full((days, returns.shape[1]), -1, dtype=np.int32)
    risk = rules.risk_management
    lifted = risk.max_correlation_exposure >= rules.position_sizing.max_total_exposure
    if lifted and risk.max_correlated_positions is None:
        return found
    for day in range(0, days, GROUP_DAYS):
        window = returns[max(day - 1 - RETURNS_USED, 0) : max(day - 1, 0)]
        found[day : day + GROUP_DAYS] = linked(window, risk.correlation_threshold)
    return found


def linked(returns: Floats, threshold: float) -> Integers:
    """By name the first name of its group: correlated above the threshold, directly or through others; -1 where there
    are too few common returns. returns: shape (days, names)."""
    found = np.full(returns.shape[1], -1, dtype=np.int64)
    names = np.flatnonzero(np.isfinite(returns).sum(axis=0) >= RETURNS_MIN)
    if not names.size:
        return found
    days = np.isfinite(returns[:, names]).all(axis=1)
    if int(days.sum()) < RETURNS_MIN:
        return found
    with np.errstate(invalid="ignore", divide="ignore"):
        related = np.atleast_2d(np.corrcoef(returns[days][:, names], rowvar=False)) > threshold
    related |= np.eye(len(names), dtype=bool)
    label = np.arange(len(names))
    while True:
        lower = np.where(related, label[None, :], len(names)).min(axis=1)
        if (lower == label).all():
            break
        label = lower
    found[names] = names[label]
    return found
