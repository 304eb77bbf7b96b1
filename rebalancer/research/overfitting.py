"""How much of a Sharpe ratio the number of trials explains: probabilistic and deflated Sharpe ratio, minimum backtest
length, and the probability of backtest overfitting.

Sharpe ratios are per period (of a day, for daily returns) unless a name says `yearly`; kurtosis is 3 for a normal
distribution. Sources: Bailey and Lopez de Prado 2012 (PSR) and 2014 (DSR, its equations 1 and 2); Bailey, Borwein,
Lopez de Prado and Zhu 2014 (minimum backtest length) and 2017 (CSCV).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

NORMAL: Final = NormalDist()
EULER: Final = 0.5772156649015329
SPLITS_AT_ONCE: Final = 256
BLOCKS: Final = 16
FLAT: Final = 1e-12  # a deviation of returns below this is none


class ReturnMoments(NamedTuple):
    """The Sharpe ratio of a period, skewness and kurtosis of returns, with their number."""

    sharpe: float
    skew: float
    kurtosis: float
    observations: int


class Overfitting(NamedTuple):
    """What combinatorially symmetric cross-validation says.

    pbo: the share of splits whose in-sample winner is in the lower half out of sample. slope: change of the winner's
    Sharpe ratio out of sample for one more in sample. loss: the share of splits in which the winner loses money out of
    sample. splits: their number.
    """

    pbo: float
    slope: float
    loss: float
    splits: int


def moments_of(returns: ArrayLike) -> ReturnMoments:
    """ReturnMoments of a series of returns, shape (n,). The Sharpe ratio is 0 where the returns do not vary."""
    series = np.asarray(returns, dtype=np.float64)
    n = series.size
    deviation = float(np.std(series, ddof=1)) if n > 1 else 0.0
    if deviation < FLAT:
        return ReturnMoments(0.0, 0.0, 3.0, n)
    apart = series - np.mean(series)
    spread = float(np.mean(apart**2))
    return ReturnMoments(
        float(np.mean(series)) / deviation,
        float(np.mean(apart**3)) / spread**1.5,
        float(np.mean(apart**4)) / spread**2,
        n,
    )


def probabilistic_sharpe(
    sharpe: float, observations: int, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """The probability that the true Sharpe ratio is above `benchmark`, both per period.

    observations: the number of returns. Raises ValueError for fewer than 2 and for moments that no sample has.
    """
    if observations < 2:
        raise ValueError(f"{observations} observations: a Sharpe ratio needs 2")
    if kurtosis < skew * skew + 1 - 1e-9:
        raise ValueError(f"no returns have skewness {skew:g} and kurtosis {kurtosis:g}")
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe * sharpe
    if variance <= 0:  # two-point distributions alone: their Sharpe ratio is known exactly
        return 1.0 if sharpe > benchmark else 0.0
    return NORMAL.cdf((sharpe - benchmark) * math.sqrt((observations - 1) / variance))


def expected_max_sharpe(trials: int, variance: float = 1.0) -> float:
    """The expected highest Sharpe ratio of so many trials without any merit. variance: of the Sharpe ratios of the
    trials. 0 for one trial. Raises ValueError for no trials and a negative variance."""
    if trials < 1 or variance < 0:
        raise ValueError(f"{trials} trials with a variance of {variance:g}: at least 1, and not negative")
    if trials == 1:
        return 0.0
    first, second = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * first + EULER * second)


def deflated_sharpe(
    sharpe: float, observations: int, trials: int, variance: float, *, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """The probability that the true Sharpe ratio is above what `trials` trials without merit would have shown at best.

    sharpe: of the chosen one, per period. observations: number of its returns. variance: of the Sharpe ratios of all
    trials, per period. Raises ValueError as `probabilistic_sharpe` and `expected_max_sharpe` do.
    """
    benchmark = expected_max_sharpe(trials, variance)
    return probabilistic_sharpe(sharpe, observations, skew=skew, kurtosis=kurtosis, benchmark=benchmark)


def min_backtest_years(trials: int, yearly_sharpe: float = 1.0) -> float:
    """Years until the best of `trials` trials without merit is no longer expected to show this yearly Sharpe ratio.

    A shorter backtest says nothing about its best setting. Raises ValueError for no trials or a ratio of 0 or less.
    """
    if yearly_sharpe <= 0:
        raise ValueError(f"a yearly Sharpe ratio of {yearly_sharpe:g}: above 0")
    return (expected_max_sharpe(trials) / yearly_sharpe) ** 2


def trials_carried(years: float, yearly_sharpe: float = 1.0) -> int:
    """The most trials whose minimum backtest length is no longer than `years`; at least 1."""
    low, high = 1, 2
    while min_backtest_years(high, yearly_sharpe) <= years:
        low, high = high, high * 2
        if high > 10**15:
            return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if min_backtest_years(middle, yearly_sharpe) <= years else (low, middle)
    return low


def pbo(matrix: ArrayLike, blocks: int = BLOCKS) -> float:
    """The probability of backtest overfitting: how often the setting that is best in one half of the blocks of time is
    in the lower half of all settings in the other.

    matrix: returns, shape (periods, trials). Raises ValueError as `cscv` does.
    """
    return cscv(matrix, blocks).pbo


def cscv(matrix: ArrayLike, blocks: int = BLOCKS) -> Overfitting:
    """Combinatorially symmetric cross-validation over all halves of `blocks` blocks of time (16: 12,870 splits).

    matrix: returns, shape (periods, trials). Blocks are of equal length, the first ones a period longer where the
    periods cannot be divided. Ties share their rank; of equal winners the first counts. Raises ValueError for fewer
    than two trials, an odd number of blocks, fewer than two periods a block, and values that are not finite.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"a matrix of shape {values.shape}: give periods x trials, with two trials or more")
    if blocks < 2 or blocks % 2:
        raise ValueError(f"{blocks} blocks: give an even number")
    periods, trials = values.shape
    if periods < 2 * blocks:
        raise ValueError(f"{periods} periods for {blocks} blocks: give two a block, or fewer blocks")
    if not np.isfinite(values).all():
        raise ValueError("a return is not finite")
    sums = _block_sums(values - values.mean(axis=0), blocks)
    inside, outside, ranks = [], [], []
    for chosen in _halves(blocks):
        first, second = _sharpes(sums, chosen, values), _sharpes(sums, ~chosen, values)
        best, rows = np.argmax(first, axis=1), np.arange(len(chosen))
        mine = second[rows, best]
        below, equal = (second < mine[:, None]).sum(axis=1), (second == mine[:, None]).sum(axis=1)
        ranks.append((below + (equal + 1) / 2) / (trials + 1))
        inside.append(first[rows, best])
        outside.append(mine)
    rank, won, later = np.concatenate(ranks), np.concatenate(inside), np.concatenate(outside)
    apart = won - won.mean()
    varied = float(apart @ apart)
    return Overfitting(
        pbo=float(np.mean(rank <= 0.5)),
        slope=float(apart @ later / varied) if varied > FLAT else 0.0,
        loss=float(np.mean(later < 0)),
        splits=len(rank),
    )


class _BlockSums(NamedTuple):
    """Of every block: number of periods, sum and sum of squares of the returns less their mean over all periods."""

    periods: NDArray[np.float64]
    total: NDArray[np.float64]
    square: NDArray[np.float64]


def _block_sums(values: NDArray[np.float64], blocks: int) -> _BlockSums:
    parts = np.array_split(values, blocks)
    return _BlockSums(
        np.array([len(part) for part in parts], dtype=np.float64),
        np.array([part.sum(axis=0) for part in parts]),
        np.array([(part**2).sum(axis=0) for part in parts]),
    )


def _halves(blocks: int) -> Iterator[NDArray[np.bool_]]:
    """Every choice of half the blocks, some at a time: shape (some, blocks)."""
    rows: list[NDArray[np.bool_]] = []
    for chosen in combinations(range(blocks), blocks // 2):
        row = np.zeros(blocks, dtype=bool)
        row[list(chosen)] = True
        rows.append(row)
        if len(rows) == SPLITS_AT_ONCE:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)


def _sharpes(sums: _BlockSums, chosen: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Sharpe ratio of every trial in every choice of blocks, shape (choices, trials); 0 where nothing varies."""
    picked = chosen.astype(np.float64)
    count = (picked @ sums.periods)[:, None]
    mean = picked @ sums.total / count
    spread = np.maximum(picked @ sums.square / count - mean**2, 0.0) * count / (count - 1)
    deviation = np.sqrt(spread)
    varied = deviation > FLAT
    return np.where(varied, (mean + values.mean(axis=0)) / np.where(varied, deviation, 1.0), 0.0)
