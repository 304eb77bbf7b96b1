"""The most correlated pairs of names in a portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from rebalancer.performance.finite import FLAT
from rebalancer.performance.risk.common import Matrix


class CorrelatedPair(NamedTuple):
    """Two names and the correlation of their daily returns (Pearson), from -1 to 1; `opposite`: one is held long, the
    other short, as far as the caller knows the positions."""

    first: str
    second: str
    correlation: float
    opposite: bool = False


def correlations(names: Sequence[str], returns: Matrix, order: Sequence[str]) -> tuple[tuple[float | None, ...], ...]:
    """The correlation of every name with those before it and with itself, in the given order of names; None where a
    name has constant returns.

    returns: daily, shape (days, names).
    """
    pairs = {(pair.first, pair.second): pair.correlation for pair in closest_pairs(names, returns, len(names) ** 2)}
    moving = {name for pair in pairs for name in pair}

    def between(one: str, other: str) -> float | None:
        if one == other:
            return 1.0 if one in moving else None
        return pairs.get((one, other), pairs.get((other, one)))

    return tuple(tuple(between(name, other) for other in order[: number + 1]) for number, name in enumerate(order))


def closest_pairs(names: Sequence[str], returns: Matrix, most: int) -> tuple[CorrelatedPair, ...]:
    """The pairs with the highest correlation, highest first. Names with constant returns are excluded.

    returns: daily, shape (days, names).
    """
    if len(returns) < 2:
        return ()
    apart = returns - returns.mean(axis=0)
    lengths = np.linalg.norm(apart, axis=0)
    moving = [i for i in range(len(names)) if lengths[i] > FLAT * len(returns) ** 0.5]
    unit = {i: apart[:, i] / lengths[i] for i in moving}
    pairs = [
        CorrelatedPair(names[i], names[j], float(np.clip(unit[i] @ unit[j], -1.0, 1.0)))
        for i, j in combinations(moving, 2)
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.correlation, pair.first, pair.second))[:most])
