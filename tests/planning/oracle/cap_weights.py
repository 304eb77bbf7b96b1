"""Shrink raw target weights until every cap holds, by no more than needed and independently of any order.

The capped weights are the I-projection of the raw ones (Csiszar 1975, I-divergence geometry): with u = |raw|,

    minimise  sum_i ( w_i log(w_i / u_i) - w_i + u_i )   subject to   0 <= w_i <= c_i,   sum_{i in G_k} w_i <= C_k

Its solution is unique and multiplicative, w_i = min(c_i, u_i * product of the factors of i's groups), which makes it
easy to explain: "sector Technology x 0.82". It is found on the dual, whose variables are the factors; groups of one
family do not overlap and are updated together:

1. `_family_factors`  the largest factors in [0, 1] that bring every group of one family within its limit
2. `_solve`           sweeps over the families (cyclic Bregman projections), which always converges but may be slow;
                      `newton.climb` continues from there, and where it makes no progress another sweep follows
3. `cap_weights`      solves for the families that are exceeded, and adds those that the solution then exceeds
4. `_within`          removes the last rounding error, so that no limit is exceeded at all

Only + - * / and sequential sums are used, so that the result is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from tests.planning.oracle.newton import SETTLED, Family, Floats, Ints, climb, common_groups, group_sums, product

__all__ = ["Capped", "Family", "Floats", "Ints", "cap_weights"]

SWEEPS_MAX: Final = 20_000


class Capped(NamedTuple):
    """`weights`: shape (n,), signed as the raw ones; `factors`: one array per family, one factor in [0, 1] per group,
    below 1 only where that group's cap binds, 0 only where its limit is 0; `sweeps`: the number taken."""

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
    weights = np.minimum(own, size)
    binding: list[int] = []
    sweeps = 0
    while late := [k for k, family in enumerate(families) if k not in binding and _exceeds(weights, family)]:
        binding = sorted([*binding, *late])
        chosen = [families[k] for k in binding]
        found, count = _solve(size, own, chosen, [factors[k] for k in binding])
        sweeps += count
        for k, values in zip(binding, found, strict=True):
            factors[k] = values
        weights = product(size, own, chosen, found)
    return Capped(np.copysign(_within(weights, families), raw), tuple(factors), sweeps)


def _solve(size: Floats, own: Floats, families: Sequence[Family], start: Sequence[Floats]) -> tuple[list[Floats], int]:
    """The factors of these families, one array each, and the number of sweeps."""
    factors = list(start)
    if len(families) == 1:
        return [_family_factors(size, own, families[0])], 1
    shared = common_groups(families)
    sweeps, moved = 0, True
    while moved and sweeps < SWEEPS_MAX:
        sweeps += 1
        moved = False
        for k, family in enumerate(families):
            others = size.copy()
            for other, held in zip(families, factors, strict=True):
                if other is not family:
                    others *= np.append(held, 1.0)[other.member]  # member -1 finds the 1.0
            found = _family_factors(others, own, family)
            moved = moved or bool((np.abs(found - factors[k]) > SETTLED * factors[k]).any())
            factors[k] = found
        if moved:
            factors, arrived = climb(size, own, families, shared, factors)
            moved = not arrived
    return factors, sweeps


def _family_factors(size: Floats, own: Floats, family: Family) -> Floats:
    """The largest factor in [0, 1] per group with sum(min(own, size * factor)) <= limit.

    The sum is concave, increasing and piecewise linear in the factor, so Newton's method started at limit / sum(size),
    which is never above the root, reaches it from below in finitely many steps.
    """
    count = len(family.labels)
    over = _sums(np.minimum(size, own), family) > family.limits
    factors = np.ones(count)
    if not over.any():
        return factors
    inside = np.append(over, False)[family.member]  # member -1 finds the False
    index, part, cap = family.member[inside], size[inside], own[inside]
    total = np.bincount(index, part, count)
    factors[over] = family.limits[over] / total[over]
    for _ in range(part.size + 1):
        grown = part * factors[index]
        free = grown < cap
        if free.all():
            break  # the first step was exact
        slope = np.bincount(index, part * free, count)
        sums = np.bincount(index, np.minimum(grown, cap), count)
        climbing = over & (slope > 0) & (sums < family.limits)
        step = np.zeros(count)
        step[climbing] = (family.limits[climbing] - sums[climbing]) / slope[climbing]
        higher = np.minimum(factors + step, 1.0)
        if (higher <= factors * (1 + 2e-16)).all():
            break
        factors = higher
    return factors


def _sums(weights: Floats, family: Family) -> Floats:
    return group_sums(family.member, weights, len(family.labels))


def _exceeds(weights: Floats, family: Family) -> bool:
    return bool((_sums(weights, family) > family.limits).any())


def _within(weights: Floats, families: Sequence[Family]) -> Floats:
    """Remove the excess over a limit left by rounding (relative size 1e-14), so that no sum exceeds its limit."""
    for family in families:
        for _ in range(8):
            sums = _sums(weights, family)
            over = sums > family.limits
            if not over.any():
                break
            shrink = np.ones(len(family.labels) + 1)
            shrink[:-1][over] = family.limits[over] / sums[over] * (1 - 2.3e-16)
            weights = weights * shrink[family.member]
    return weights
