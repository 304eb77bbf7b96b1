"""A Sharpe ratio beside the number of trials it was chosen from: what every page and document shows together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.performance import ratios
from rebalancer.research.market import Floats, SimulationSetup
from rebalancer.research.overfitting import (
    BLOCKS,
    cscv,
    deflated_sharpe,
    min_backtest_years,
    moments_of,
    trials_carried,
)
from rebalancer.research.trial_ledger import Trial, TrialKey, TrialLedger

DAYS_LEAST: Final = 20  # daily returns; a ratio of fewer is meaningless
COMPARED_MOST: Final = 1_000  # newest settings over the same days


class TrialFigures(NamedTuple):
    """sharpe: a year. trials: settings ever tried, this one included. deflated_sharpe: the probability that the ratio
    is above what so many trials without merit show at best. min_backtest_years: what so many trials need. years:
    trading days / 252. settings_carried: how many trials these years can carry. pbo: probability of backtest
    overfitting among the `pbo_trials` settings that were tried over the same days. None: too little data."""

    sharpe: float | None
    trials: int
    deflated_sharpe: float | None
    min_backtest_years: float
    years: float
    settings_carried: int
    pbo: float | None
    pbo_trials: int

    @property
    def note(self) -> str:
        """How far so many years carry, in a sentence."""
        settings = "1 setting" if self.settings_carried == 1 else f"about {self.settings_carried:,} settings"
        years = "one year" if abs(self.years - 1) < 0.05 else f"{self.years:.1f} years"
        tried = "1 was tried" if self.trials == 1 else f"{self.trials:,} were tried"
        return f"{years} can carry {settings}; {tried}, which need {self.min_backtest_years:.1f} years"

    def document(self) -> dict[str, Any]:
        """As JSON numbers."""
        return dict(self._asdict())


def daily_returns(setup: SimulationSetup, equity: Floats) -> tuple[tuple[date, ...], Floats]:
    """The trading days of a run and the return of each, the first from the start equity. equity: at every bar."""
    market = setup.market
    ends = np.flatnonzero(market.is_last_of_day)
    equity = np.append(setup.equity, equity[ends])
    days = tuple(date.fromordinal(int(day)) for day in market.day[ends])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = equity[1:] / equity[:-1] - 1
    return days, np.nan_to_num(returns, nan=0.0, posinf=0.0, neginf=0.0)


def trial_of(setup: SimulationSetup, equity: Floats, key: TrialKey, kind: str, at: datetime) -> Trial:
    """The line of a run in the ledger. equity: at every bar."""
    days, returns = daily_returns(setup, equity)
    return Trial(at, kind, key, (days[0], days[-1], len(days)), returns.astype(np.float32).astype(np.float64))


def figures_of_trial(trial: Trial, ledger: TrialLedger) -> TrialFigures:
    """The figures of a trial among all that were ever tried, itself included."""
    settings = {**ledger.settings, trial.key.setting: trial}
    years = trial.days[2] / ratios.DAYS
    many = trial.days[2] >= DAYS_LEAST
    deflated = None
    if many:
        own = moments_of(trial.returns)
        every = np.array([one.sharpe for one in settings.values() if one.days[2] >= DAYS_LEAST])
        variance = float(np.var(every, ddof=1)) if len(every) > 1 else 0.0
        deflated = deflated_sharpe(
            own.sharpe, own.observations, len(settings), variance, skew=own.skew, kurtosis=own.kurtosis
        )
    matrix = same_days(trial, settings)
    return TrialFigures(
        sharpe=ratios.sharpe(trial.returns) if many else None,
        trials=len(settings),
        deflated_sharpe=deflated,
        min_backtest_years=min_backtest_years(len(settings)),
        years=years,
        settings_carried=trials_carried(years),
        pbo=overfitting_of(matrix),
        pbo_trials=matrix.shape[1],
    )


def same_days(trial: Trial, settings: Mapping[tuple[str, str], Trial]) -> Floats:
    """The returns of all settings over the days of a trial, shape (days, settings): the newest ones."""
    found: Sequence[Trial] = [one for one in settings.values() if one.days == trial.days]
    return np.array([one.returns for one in found[-COMPARED_MOST:]]).T.reshape(trial.days[2], -1)


def overfitting_of(matrix: Floats) -> float | None:
    """The probability of backtest overfitting, None for a single setting or fewer than two days a block."""
    if matrix.shape[1] < 2 or matrix.shape[0] < 2 * BLOCKS:
        return None
    return cscv(matrix).pbo
