"""Shrink raw target weights until every cap holds, no more than needed and in no particular order.

The capped weights are the I-projection of the raw ones (Csiszar 1975, I-divergence geometry): with u = |raw|,

    minimise  sum_i ( w_i log(w_i / u_i) - w_i + u_i )   subject to   0 <= w_i <= c_i,   sum_{i in G_k} w_i <= C_k

Its solution is unique and multiplicative, w_i = min(c_i, u_i * product of the factors of i's groups), so it explains
itself: "sector Technology x 0.82". It is found by exact maximisation of the dual over one group after the other
(cyclic Bregman projections); groups of one family do not overlap and are updated together:

1. `_family_factors`  the largest factors in [0, 1] that bring every group of one family within its limit
2. `cap_weights`      sweeps over the families until no factor moves and every limit holds
3. `_within`          the last rounding error is taken off, so that no limit is exceeded by a single unit

Only + - * / and sequential sums are used, so that the result is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SWEEPS_MAX: Final = 20_000
SETTLED: Final = 1e-14  # relative movement of a factor that counts as none


class Family(NamedTuple):
    """Groups that do not overlap, such as all sectors. `member[i]` is the group of name i, -1 for none; `limits[k]`
    is the largest sum of absolute weights of group k (fractions of capital, may be infinite)."""

    name: str
    labels: tuple[str, ...]
    member: Ints
    limits: Floats


class Capped(NamedTuple):
    """`weights`: shape (n,), signed as the raw ones; `factors`: one array per family, one factor in [0, 1] per group,
    below 1 only where that group's cap binds, 0 only where its limit is 0."""

    weights: Floats
    factors: tuple[Floats, ...]
    sweeps: int


def cap_weights(raw: Floats, own: Floats, families: Sequence[Family]) -> Capped:
    """Project raw target weights onto the caps.

    raw: shape (n,), signed fractions of capital, finite. own: shape (n,), the largest absolute weight of each name.
    Returns weights of the same shape and sign, never larger in magnitude, that break no cap. Minimises relative
    entropy, so the result does not depend on the order of the names, groups or families. Raises ValueError when the
    shapes differ or a number is not finite.
    """
    size = np.abs(raw)
    if raw.shape != own.shape or any(family.member.shape != raw.shape for family in families):
        raise ValueError("weights, own caps and group members must have the same shape")
    if not (np.isfinite(size).all() and (own >= 0).all()):
        raise ValueError("weights must be finite and own caps not negative")
    factors = [np.ones(len(family.labels)) for family in families]
    spread = [np.ones(raw.shape) for _ in families]  # each family's factor, spread over the names
    binding = [k for k, family in enumerate(families) if _exceeds(np.minimum(own, size), family)]
    if not binding:
        return Capped(np.copysign(np.minimum(own, size), raw), tuple(factors), 0)

    sweeps = 0
    moved = True
    while moved and sweeps < SWEEPS_MAX:
        moved = False
        sweeps += 1
        for k, family in enumerate(families):
            if k not in binding:
                continue
            others = size.copy()
            for other, held in enumerate(spread):
                if other != k and other in binding:
                    others *= held
            found = _family_factors(others, own, family)
            if (np.abs(found - factors[k]) > SETTLED * factors[k]).any():
                moved = True
                factors[k] = found
                spread[k] = np.where(family.member >= 0, found[family.member], 1.0)
        if not moved or sweeps == 1:  # a family that was within its limits stays so: factors only shrink weights
            weights = _product(size, own, spread)
            late = [k for k, family in enumerate(families) if k not in binding and _exceeds(weights, family)]
            binding += late
            moved = moved or bool(late)
        if len(binding) == 1:
            break
    weights = _within(_product(size, own, spread), families)
    return Capped(np.copysign(weights, raw), tuple(factors), sweeps)


def _family_factors(size: Floats, own: Floats, family: Family) -> Floats:
    """The largest factor in [0, 1] per group with sum(min(own, size * factor)) <= limit.

    The sum is concave, increasing and piecewise linear in the factor, so Newton's method, begun at limit / sum(size),
    which is never above the root, climbs to it in finitely many steps.
    """
    count = len(family.labels)
    inside = family.member >= 0
    index = family.member[inside]
    part, cap = size[inside], own[inside]
    over = np.bincount(index, np.minimum(part, cap), count) > family.limits
    factors = np.ones(count)
    if not over.any():
        return factors
    total = np.bincount(index, part, count)
    factors[over] = family.limits[over] / total[over]
    for _ in range(part.size + 1):
        grown = part * factors[index]
        free = grown < cap
        sums = np.bincount(index, np.where(free, grown, cap), count)
        slope = np.bincount(index, np.where(free, part, 0.0), count)
        climb = over & (slope > 0) & (sums < family.limits)
        step = np.zeros(count)
        step[climb] = (family.limits[climb] - sums[climb]) / slope[climb]
        higher = np.minimum(factors + step, 1.0)
        if (higher <= factors * (1 + 2e-16)).all():
            break
        factors = higher
    return factors


def _product(size: Floats, own: Floats, spread: Sequence[Floats]) -> Floats:
    weights = size.copy()
    for factor in spread:
        weights *= factor
    return np.minimum(own, weights)


def _exceeds(weights: Floats, family: Family) -> bool:
    inside = family.member >= 0
    sums = np.bincount(family.member[inside], weights[inside], len(family.labels))
    return bool((sums > family.limits).any())


def _within(weights: Floats, families: Sequence[Family]) -> Floats:
    """Take off what rounding left above a limit (relative size 1e-15), exactly."""
    for family in families:
        inside = family.member >= 0
        for _ in range(8):
            sums = np.bincount(family.member[inside], weights[inside], len(family.labels))
            over = sums > family.limits
            if not over.any():
                break
            shrink = np.ones(len(family.labels))
            shrink[over] = family.limits[over] / sums[over] * (1 - 2.3e-16)
            weights = weights * np.where(inside, shrink[family.member], 1.0)
    return weights
