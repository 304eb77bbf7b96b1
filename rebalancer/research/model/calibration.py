"""What a score of some size has earned on days that the model had not seen."""

from __future__ import annotations

from typing import Final

import numpy as np

from rebalancer.research.model.samples import Samples
from rebalancer.research.model.validation import Unseen, mean_with_error
from rebalancer.signals.model.features import Floats
from rebalancer.signals.model.opinion import EDGE_FULL, Calibration, ScoreBin, scores_of

LEVELS: Final = 101
BINS: Final = 5
DEVIATIONS: Final = 1.645  # one-sided 95 %


def calibrated(samples: Samples, unseen: Unseen) -> Calibration:
    """Chances to scores, and the size of a score to its confidence."""
    chances, scores = score_table(unseen.chances)
    bare = Calibration(chances, scores, ())
    said = scores_of(unseen.chances, bare)
    right = np.where(said == 0, 0.5, (said > 0) == (samples.label[unseen.rows] > 0.5)).astype(np.float64)
    place = np.minimum((np.abs(said) * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(place, minlength=BINS)
    rates, bounds = np.full(BINS, 0.5), np.zeros(BINS)
    for i in range(BINS):
        inside = place == i
        if rows[i]:
            rates[i], error = mean_with_error(right[inside], unseen.blocks[inside])
            bounds[i] = max(rates[i] - DEVIATIONS * error, 0.0)
    confidence = np.clip((never_falling(bounds, rows.astype(np.float64)) - 0.5) / EDGE_FULL, 0.0, 1.0)
    bins = tuple(
        ScoreBin((i + 1) / BINS, int(rows[i]), round(float(rates[i]), 6), round(float(bounds[i]), 6),
                 round(float(confidence[i]), 4))
        for i in range(BINS)
    )  # fmt: skip
    return Calibration(chances, scores, bins)


def score_table(chances: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Some chances in ascending order with their scores: -1 the lowest, 1 the highest, by their place among all. Equal
    chances share the mean of their places; if all are equal, the score is 0."""
    levels = np.linspace(0.0, 1.0, LEVELS)
    values, place, counts = np.unique(np.quantile(chances, levels), return_inverse=True, return_counts=True)
    scores = np.bincount(place, 2 * levels - 1) / counts
    return tuple(map(float, values)), tuple(map(float, np.round(scores, 10) + 0.0))


def never_falling(values: Floats, weights: Floats) -> Floats:
    """The nearest values, by weighted squares, that never fall (isotonic regression by pooling neighbours)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pool = (float(value), max(float(weight), 1e-9), 1)
        while pools and pools[-1][0] > pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / total, total, before[2] + pool[2])
        pools.append(pool)
    return np.array([value for value, _, count in pools for _ in range(count)], dtype=np.float64)
