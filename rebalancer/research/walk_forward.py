"""Walk-forward: choose the best setting on training days, look at it on the days after them, and go on.

Every setting is simulated once over all days, which sees no day before its time; what it earned in a window is what one
would have earned who had traded it all along. What switching from one setting to another would have cost is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.performance import ratios
from rebalancer.performance.returns import drawdowns
from rebalancer.research.market import Floats
from rebalancer.research.purged_splits import TimeSplit
from rebalancer.research.sweep.points import PointResult
from rebalancer.research.sweep.summary import keys_of, text_of

WALK_SCHEMA: Final = "rebalancer.walk_forward/1"


class Fold(NamedTuple):
    """One step. days: first and last of training and of test, and how many were trained on. chosen: the setting that
    was best in training. inside, outside: its Sharpe ratios, a year; None where nothing varies. rank: its place out of
    sample among all settings, 1 is best."""

    train: tuple[date, date, int]
    test: tuple[date, date, int]
    chosen: PointResult
    inside: float | None
    outside: float | None
    rank: int
    total_return: float


class KeyStability(NamedTuple):
    """How one key's chosen value moved: distinct values, changes from a fold to the next, and the share of folds that
    chose the most frequent one."""

    key: str
    values: int
    changes: int
    most_frequent: str
    share: float


class WalkForward(NamedTuple):
    """All folds. days, returns: the test windows, one after the other. settings: how many there were to choose from.
    every: the returns of the mean of all settings over the same days; hindsight: of the setting that was best there."""

    folds: tuple[Fold, ...]
    settings: int
    days: tuple[date, ...]
    returns: Floats
    every: Floats
    hindsight: Floats

    @property
    def inside(self) -> float | None:
        """The mean Sharpe ratio of the chosen settings in training."""
        return _mean([fold.inside for fold in self.folds])

    @property
    def outside(self) -> float | None:
        """Their mean Sharpe ratio in the windows after it."""
        return _mean([fold.outside for fold in self.folds])

    @property
    def kept(self) -> float | None:
        """How much of the ratio is left out of sample; None where there was none in training."""
        inside, outside = self.inside, self.outside
        return None if inside is None or outside is None or inside <= 0 else outside / inside

    @property
    def mean_rank(self) -> float:
        """The mean place of the chosen settings out of sample, as a fraction: 0 the best, 0.5 no better than chance."""
        if self.settings < 2:
            return 0.0
        return float(np.mean([(fold.rank - 1) / (self.settings - 1) for fold in self.folds]))

    @property
    def stability(self) -> tuple[KeyStability, ...]:
        """Of every key that varies among all choices there were."""
        found = []
        for key in self.folds[0].chosen.keys:
            chosen = [text_of(fold.chosen.keys.get(key)) for fold in self.folds]
            most = max(dict.fromkeys(chosen), key=chosen.count)
            changes = sum(one != other for one, other in pairwise(chosen))
            found.append(KeyStability(key, len(set(chosen)), changes, most, chosen.count(most) / len(chosen)))
        return tuple(found)

    def document(self) -> dict[str, Any]:
        """The `rebalancer.walk_forward/1` document; its numbers are JSON numbers."""
        return {
            "schema": WALK_SCHEMA,
            "settings": self.settings,
            "folds": [
                {
                    "train": _window(fold.train),
                    "test": _window(fold.test),
                    "keys": keys_of(fold.chosen.keys),
                    "in_sample_sharpe": fold.inside,
                    "out_of_sample_sharpe": fold.outside,
                    "rank": fold.rank,
                    "total_return": fold.total_return,
                }
                for fold in self.folds
            ],
            "out_of_sample": figures_of_series(self.returns),
            "mean_of_all_settings": figures_of_series(self.every),
            "best_in_hindsight": figures_of_series(self.hindsight),
            "decay": {
                "in_sample_sharpe": self.inside,
                "out_of_sample_sharpe": self.outside,
                "kept": self.kept,
                "mean_rank": self.mean_rank,
            },
            "stability": [one._asdict() for one in self.stability],
        }

    def equity_csv(self) -> str:
        """Growth over the test windows: `date,growth`."""
        growth = np.cumprod(1 + self.returns).tolist()
        return "\n".join(["date,growth", *(f"{d},{g!r}" for d, g in zip(self.days, growth, strict=True)), ""])


def walked(results: Sequence[PointResult], days: Sequence[date], splits: Sequence[TimeSplit]) -> WalkForward:
    """Walk over the results of a sweep. results: all over the same days, whose dates `days` are.

    Raises ValueError for results over other days, or none.
    """
    if not results or any(len(result.returns) != len(days) for result in results):
        raise ValueError("the results are of other days")
    matrix = np.array([result.returns for result in results]).T
    folds = []
    for split in splits:
        inside, outside = _sharpes(matrix[split.train]), _sharpes(matrix[split.test])
        best = int(np.argmax(inside))
        won = matrix[split.test, best]
        folds.append(
            Fold(
                (days[split.train[0]], days[split.train[-1]], len(split.train)),
                (days[split.test[0]], days[split.test[-1]], len(split.test)),
                results[best],
                ratios.sharpe(matrix[split.train, best]),
                ratios.sharpe(won),
                int((outside > outside[best]).sum()) + 1,
                float(np.prod(1 + won) - 1),
            )
        )
    rows = np.concatenate([split.test for split in splits])
    chosen = np.concatenate(
        [matrix[split.test, results.index(fold.chosen)] for split, fold in zip(splits, folds, strict=True)]
    )
    after = matrix[rows]
    return WalkForward(
        tuple(folds),
        len(results),
        tuple(days[row] for row in rows),
        chosen,
        after.mean(axis=1),
        after[:, int(np.argmax(_sharpes(after)))],
    )


def figures_of_series(returns: Floats) -> dict[str, float | None]:
    """Sharpe ratio and return a year, total return and deepest fall of daily returns."""
    return {
        "sharpe": ratios.sharpe(returns),
        "return_a_year": ratios.annual_return(returns),
        "total_return": float(np.prod(1 + returns) - 1),
        "max_drawdown": float(np.min(drawdowns(returns))) if returns.size else None,
    }


def choices(matrix: Floats, splits: Sequence[TimeSplit], score: Callable[[Floats], Floats] | None = None) -> Floats:
    """The Sharpe ratio, of a day, in each test window of the column that was best in its training: shape (splits,)."""
    score = score or _sharpes
    return np.array([score(matrix[s.test])[int(np.argmax(score(matrix[s.train])))] for s in splits])


def _sharpes(matrix: Floats) -> Floats:
    """The Sharpe ratio of every column; 0 where nothing varies."""
    deviation = matrix.std(axis=0, ddof=1) if len(matrix) > 1 else np.zeros(matrix.shape[1])
    return np.where(deviation > 1e-12, matrix.mean(axis=0) / np.where(deviation > 1e-12, deviation, 1.0), 0.0)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _window(days: tuple[date, date, int]) -> dict[str, Any]:
    return {"first": days[0].isoformat(), "last": days[1].isoformat(), "days": days[2]}
