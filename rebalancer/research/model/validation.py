"""A validation over time that never sees its own future.

The days are cut into a first part, for training alone, and equal blocks after it. Each block is tested by a model that
was trained on the days before it, without those whose labels reach into it (they are purged: their label would tell of
the block's prices).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import BadDocument
from rebalancer.research.market import Flags, Integers
from rebalancer.research.model.samples import NAMES_LEAST, Samples
from rebalancer.signals.model import booster
from rebalancer.signals.model.booster import BoosterSettings
from rebalancer.signals.model.features import Floats
from rebalancer.signals.model.files import ModelValidation, ValidationFold

TRAINED_FIRST: Final = 0.4  # of the days
FOLD_DAYS_LEAST: Final = 10
ROWS_LEAST: Final = 200  # to train on


class Fold(NamedTuple):
    """Rows to train on and rows to test on."""

    trained: Flags
    tested: Flags


class Unseen(NamedTuple):
    """What the models of the validation said about rows that they had not seen: their places and chances, in order of
    day, and the block of days (as long as a label) that each belongs to."""

    rows: NDArray[np.int64]
    chances: Floats
    blocks: Integers


def folds_of(samples: Samples, count: int) -> list[Fold]:
    """The folds, in order of time. Raises BadDocument when there are too few days or rows."""
    bars = np.unique(samples.bar)
    first = int(len(bars) * TRAINED_FIRST)
    found = []
    for test in np.array_split(bars[first:], count):
        if len(test) < FOLD_DAYS_LEAST:
            problem = f"{len(bars)} days have a label, too few for {count} folds of {FOLD_DAYS_LEAST} days"
            raise BadDocument("model train", problem, "give it more days, or fewer --folds")
        tested = (samples.bar >= test[0]) & (samples.bar <= test[-1])
        found.append(Fold(samples.label_bar < test[0], tested))
    rows = int(found[0].trained.sum())
    if rows < ROWS_LEAST:
        problem = f"the first fold has {rows} rows to train on, {ROWS_LEAST} are needed"
        raise BadDocument("model train", problem, "give it more days or more names")
    return found


def validated(samples: Samples, settings: BoosterSettings, count: int) -> tuple[ModelValidation, Unseen]:
    """Train on each fold and test it. Raises BadDocument, and SourceNotReady without the extra."""
    folds, said, rows, chances = folds_of(samples, count), [], [], []
    for fold in folds:
        raw = booster.fit(samples.features[fold.trained], samples.label[fold.trained], settings)
        found = booster.Booster(raw).chances(samples.features[fold.tested])
        rows.append(np.flatnonzero(fold.tested))
        chances.append(found)
        said.append(_fold(samples, fold, found))
    unseen = Unseen(np.concatenate(rows), np.concatenate(chances), _blocks(samples, np.concatenate(rows)))
    label, day_of = samples.label[unseen.rows], samples.bar[unseen.rows]
    daily = dict(rank_correlations(day_of, unseen.chances, samples.move[unseen.rows]))
    ic, error = mean_with_error(
        np.array(list(daily.values())), np.array([bar // (samples.horizon + 1) for bar in daily], dtype=np.int64)
    )
    return ModelValidation(
        folds=tuple(said),
        rows=len(unseen.rows),
        days=len(np.unique(day_of)),
        rank_ic=_short(ic) if daily else None,
        rank_ic_error=_short(error) if daily else None,
        hit_rate=_short(float(((unseen.chances > 0.5) == (label > 0.5)).mean())),
        brier=_short(float(((unseen.chances - label) ** 2).mean())),
    ), unseen


def rank_correlations(days: Integers, chances: Floats, moves: Floats) -> Iterator[tuple[int, float]]:
    """Spearman's correlation among the names of each day that has at least five, and whose chances differ."""
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
        if end - start >= NAMES_LEAST:
            one, other = _ranks(chances[start:end]), _ranks(moves[start:end])
            one, other = one - one.mean(), other - other.mean()
            size = np.sqrt((one * one).sum() * (other * other).sum())
            if size > 0:
                yield int(days[start]), float((one * other).sum() / size)


def mean_with_error(values: Floats, blocks: Integers, weights: Floats | None = None) -> tuple[float, float]:
    """The weighted mean and its standard error, when values of one block belong together: the labels of days that
    follow each other overlap. The error of fewer than two blocks is infinite."""
    if not len(values):
        return 0.0, float("inf")
    weights = np.ones_like(values) if weights is None else weights
    mean = float((values * weights).sum() / weights.sum())
    _, place = np.unique(blocks, return_inverse=True)
    apart = np.bincount(place, weights * (values - mean))
    count = len(apart)
    if count < 2:
        return mean, float("inf")
    return mean, float(np.sqrt((apart * apart).sum() * count / (count - 1)) / weights.sum())


def _fold(samples: Samples, fold: Fold, chances: Floats) -> ValidationFold:
    days, tested = samples.days, samples.bar[fold.tested]
    ics = [ic for _, ic in rank_correlations(tested, chances, samples.move[fold.tested])]
    return ValidationFold(
        trained_to=days[int(samples.bar[fold.trained].max())],
        labels_end=days[int(samples.label_bar[fold.trained].max())],
        trained_rows=int(fold.trained.sum()),
        tested_from=days[int(tested[0])],
        tested_to=days[int(tested[-1])],
        tested_rows=len(tested),
        rank_ic=_short(float(np.mean(ics))) if ics else None,
        brier=_short(float(((chances - samples.label[fold.tested]) ** 2).mean())),
    )


def _blocks(samples: Samples, rows: Sequence[int] | Integers) -> Integers:
    found: Integers = samples.bar[rows] // (samples.horizon + 1)
    return found


def _ranks(values: Floats) -> Floats:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts + 1) / 2.0)[place]
    return ranks


def _short(number: float) -> float:
    return round(number, 6)
