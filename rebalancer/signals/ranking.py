"""From values to scores by rank: strong in both outer fifths, neutral in the middle."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TAIL: Final = 0.6  # ranks beyond this are the outer fifths
_SCORE_LOW, _SCORE_HIGH, _SCORE_MIDDLE = 0.4, 0.6, 0.09


def ranked(values: Floats) -> Floats:
    """Ranks spaced evenly over (-1, 1), shape (n,); equal values share their mean rank."""
    ordered = np.sort(np.round(values, 12))
    exact = np.round(values, 12)
    below, through = np.searchsorted(ordered, exact, "left"), np.searchsorted(ordered, exact, "right")
    ranks: Floats = (below + through) / len(values) - 1
    return ranks


def shaped(rank: Floats) -> Floats:
    """Scores that are strong in both outer fifths and weak in the middle; an odd, increasing function. Shape (n,)."""
    size = np.abs(rank)
    tail = _SCORE_LOW + (_SCORE_HIGH - _SCORE_LOW) * (size - TAIL) / (1 - TAIL)
    scores: Floats = np.sign(rank) * np.where(size > TAIL + 1e-9, tail, _SCORE_MIDDLE * size / TAIL)
    return scores
