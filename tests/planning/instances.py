"""Random cap problems, and how exactly an answer meets the conditions of the optimum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rebalancer.planning.core.project import FAMILIES, project
from tests.planning.oracle.cap_weights import Capped, Family, Floats


class Instance(NamedTuple):
    """What the projection is given."""

    raw: Floats
    own: Floats
    families: tuple[Family, ...]


def instance(seed: int, most: int = 300) -> Instance:
    """Up to `most` names of both signs in three or four overlapping families; some weights zero, some limits zero or
    infinite, some names in no group of a family."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, most + 1))
    raw = rng.normal(0, 1, count) * np.exp(rng.normal(0, 1, count))
    raw[rng.random(count) < 0.1] = 0
    raw *= rng.uniform(0.3, 4) / max(float(np.abs(raw).sum()), 1e-9)
    own = np.where(rng.random(count) < 0.6, rng.uniform(0, 3 / count, count), np.inf if rng.random() < 0.2 else 1.0)
    families = [_family(rng, "gross", np.zeros(count, np.int64), 1), _family(rng, "side", np.where(raw < 0, 1, 0), 2)]
    for number in range(int(rng.integers(1, 3))):
        groups = int(rng.integers(1, 30))
        member = np.minimum(rng.geometric(0.2, count) - 1, groups - 1)
        if rng.random() < 0.5:
            member[rng.random(count) < 0.1] = -1
        families.append(_family(rng, f"family {number}", member, groups))
    return Instance(raw, own, tuple(families))


def _family(rng: np.random.Generator, name: str, member: Any, groups: int) -> Family:
    limits = rng.uniform(0.05, 0.9, groups) * rng.choice([1, 1, 0.3])
    limits[rng.random(groups) < 0.05] = 0
    limits[rng.random(groups) < 0.1] = np.inf
    return Family(name, tuple(str(k) for k in range(groups)), member.astype(np.int64), limits)


def largest_excess(weights: Floats, given: Instance) -> float:
    """How far the worst cap is exceeded; 0 when none is."""
    size = np.abs(weights)
    over = [float(np.max(size - given.own, initial=0.0))]
    for family in given.families:
        inside = family.member >= 0
        sums = np.bincount(family.member[inside], size[inside], len(family.labels))
        over.append(float(np.max(np.where(np.isfinite(family.limits), sums - family.limits, 0.0))))
    return max(0.0, *over)


def optimality_gap(weights: Floats, factors: Sequence[Floats], given: Instance) -> float:
    """The largest break of a condition of the optimum (Karush, Kuhn and Tucker): each weight is min(own cap, raw x its
    factors), no cap is exceeded, and a factor is below 1 only where its cap is met."""
    product = np.abs(given.raw)
    worst = largest_excess(weights, given)
    for family, values in zip(given.families, factors, strict=True):
        inside = family.member >= 0
        product = product * np.where(inside, values[family.member], 1.0)
        sums = np.bincount(family.member[inside], np.abs(weights)[inside], len(family.labels))
        binding = values < 1
        worst = max(worst, float(np.max(np.abs(sums - family.limits)[binding], initial=0.0)))
        assert ((values >= 0) & (values <= 1)).all()
    return max(worst, float(np.max(np.abs(np.abs(weights) - np.minimum(given.own, product)), initial=0.0)))


def solved_by_clarabel(given: Instance) -> tuple[Floats, float]:
    """The same problem as an exponential cone program, tight tolerances; the weights and the largest excess of them."""
    import cvxpy as cp

    size = np.abs(given.raw)
    zero = size == 0
    for family in given.families:
        none = np.flatnonzero(family.limits == 0)
        zero |= np.isin(family.member, none)
    zero |= given.own == 0
    rows = np.flatnonzero(~zero)
    weights = np.zeros(size.size)
    if rows.size:
        scale = float(size[rows].mean())
        w = cp.Variable(rows.size)
        constraints = [w >= 0]
        capped = np.isfinite(given.own[rows])
        if capped.any():
            constraints.append(w[np.flatnonzero(capped)] <= given.own[rows][capped] / scale)
        for family in given.families:
            for k, limit in enumerate(family.limits):
                inside = np.flatnonzero(family.member[rows] == k)
                if inside.size and np.isfinite(limit):
                    constraints.append(cp.sum(w[inside]) <= limit / scale)
        problem = cp.Problem(cp.Minimize(cp.sum(cp.kl_div(w, size[rows] / scale))), constraints)
        tight = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-13, "max_iter": 500}
        problem.solve(solver=cp.CLARABEL, **tight)  # type: ignore[no-untyped-call]  # cvxpy has no types
        assert w.value is not None
        weights[rows] = np.asarray(w.value) * scale
    signed: Floats = np.copysign(weights, given.raw)
    return signed, largest_excess(signed, given)


def capped(given: Instance) -> Capped:
    """The answer under test."""
    return cap_weights(*given)


def cap_weights(raw: Floats, own: Floats, families: Sequence[Family]) -> Capped:
    """The answer of the numeric core, in the terms of its oracle. A family more, or a name in no group of one, is a
    group without a limit."""
    member, limit, first = [0] * (FAMILIES * raw.size), [], []
    for k in range(FAMILIES):
        first.append(len(limit))
        groups = families[k].member.tolist() if k < len(families) else [-1] * raw.size
        limit += families[k].limits.tolist() if k < len(families) else []
        limit.append(float("inf"))
        for i, g in enumerate(groups):
            member[FAMILIES * i + k] = len(limit) - 1 if g < 0 else first[k] + g
    weights, factor = project(np.abs(raw).tolist(), own.tolist(), member, limit)
    factors = tuple(np.array(factor[at : at + len(family.labels)]) for family, at in zip(families, first, strict=False))
    return Capped(np.copysign(np.array(weights), raw), factors, 0)
