"""A chance to a score and a confidence, as the model did on days that it had not seen.

The score is the place of the chance among those of the validation: -1 for the lowest, 1 for the highest, linear
between. The confidence is what the validation earned at scores of that size: how much more often than every second time
the sign was right, by its lower bound, where `EDGE_FULL` more counts as 1. It never falls when the score grows; 0 is no
vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from rebalancer.signals.model.features import Floats

EDGE_FULL: Final = 0.05  # right 55 times of 100


class ScoreBin(NamedTuple):
    """Scores up to this size: rows of the validation, how often their sign was right, the lower bound of that
    (one-sided, 95 %), and the confidence of a vote."""

    size_most: float
    rows: int
    hit_rate: float
    lower_bound: float
    confidence: float


class Calibration(NamedTuple):
    """Chances in ascending order with their scores, and the confidence by the size of a score."""

    chances: tuple[float, ...]
    scores: tuple[float, ...]
    bins: tuple[ScoreBin, ...]


def scores_of(chances: Floats, calibration: Calibration) -> Floats:
    """Scores in [-1, 1]; those of equal chances are equal, and a higher chance never has a lower score."""
    if not calibration.chances:
        return np.zeros_like(chances)
    return np.interp(chances, calibration.chances, calibration.scores)


def confidence_of(score: float, bins: Sequence[ScoreBin]) -> float:
    """The confidence in [0, 1] of a score."""
    return next((one.confidence for one in bins if abs(score) <= one.size_most), bins[-1].confidence if bins else 0.0)
