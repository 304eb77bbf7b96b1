"""Newton's method on the dual of the cap projection: from a good starting point to exact factors in a few steps.

With w_i = min(c_i, u_i * product of factors) and r_k = sum of group k - its limit, a step d solves H d = r over the
groups that bind, where H_kl is the weight of the names that are in both k and l and below their own cap. Names with the
same groups are merged, which makes H cheap to build; it is solved by hand-written elimination, because the results of
linear algebra libraries differ between machines. (Semismooth Newton: Qi and Sun 1993.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SETTLED: Final = 1e-14  # relative change of a factor below which it has converged
ARRIVED: Final = 2e-14  # relative distance from the limits at which the solution counts as exact
GROUPS_MAX: Final = 200  # with more binding groups than this, elimination costs more than it saves
PIVOT_LEAST: Final = 1e-290  # smaller pivots count as zero; dividing by them overflows


class Family(NamedTuple):
    """Groups that do not overlap, such as all sectors. `member[i]` is the group of name i, -1 for none; `limits[k]`
    is the largest sum of absolute weights of group k (fractions of capital, may be infinite)."""

    name: str
    labels: tuple[str, ...]
    member: Ints
    limits: Floats


class Cells(NamedTuple):
    """Names merged by identical group membership. `of[i]`: the cell of name i; `groups`: one row per family with the
    group of each cell, numbered consecutively over all families; a cell in no group of a family has the number after
    the last group."""

    of: Ints
    groups: Ints
    limits: Floats


def common_groups(families: Sequence[Family]) -> Cells:
    """Merge names with identical group membership into cells."""
    of = np.zeros(families[0].member.shape, np.int64)
    count = 1
    for family in families:
        of = of * (len(family.labels) + 1) + family.member + 1
        of, count = _renumbered(of, count * (len(family.labels) + 1))
    limits = np.concatenate([family.limits for family in families])
    groups = np.empty((len(families), count), np.int64)
    begin = 0
    for row, family in zip(groups, families, strict=True):
        row[of] = np.where(family.member < 0, limits.size, begin + family.member)
        begin += len(family.labels)
    return Cells(of, groups, limits)


def climb(
    size: Floats, own: Floats, families: Sequence[Family], cells: Cells, start: Sequence[Floats]
) -> tuple[list[Floats], bool]:
    """Take Newton steps while each at least halves the distance. Returns the factors, and whether they are exact."""
    factors = np.append(np.concatenate(start), 1.0)
    sums, free = _sums(size, own, cells, factors)
    distance = _distance(sums, factors, cells.limits)
    while distance.max() > ARRIVED:
        active = np.flatnonzero(distance > 0)
        if active.size > GROUPS_MAX:
            break
        moved = factors.copy()
        moved[active] = _stepped(factors[active], _step(free, active, sums, cells))
        sums, free = _sums(size, own, cells, moved)
        now = _distance(sums, moved, cells.limits)
        if not now.max() <= distance.max() / 2:
            break
        factors, distance = moved, now
    ends = np.cumsum([len(family.labels) for family in families])
    return list(np.split(factors, ends))[: len(families)], bool(distance.max() <= ARRIVED)


def product(size: Floats, own: Floats, families: Sequence[Family], factors: Sequence[Floats]) -> Floats:
    """The weights resulting from these factors."""
    weights = size.copy()
    for family, values in zip(families, factors, strict=True):
        weights *= np.append(values, 1.0)[family.member]  # member -1 finds the 1.0
    return np.minimum(own, weights)


def group_sums(member: Ints, weights: Floats, count: int) -> Floats:
    """The sum of each group, added in the order of the names; member -1 is in no group."""
    return _bincount(np.where(member < 0, count, member), weights, count + 1)[:count]


def _sums(size: Floats, own: Floats, cells: Cells, factors: Floats) -> tuple[Floats, Floats]:
    """The sum of each group, and per cell the weight of its names that are below their own caps."""
    count = cells.groups.shape[1]
    shrunk = factors[cells.groups[0]]
    for row in cells.groups[1:]:
        shrunk = shrunk * factors[row]
    grown = size * shrunk[cells.of]
    weight = _bincount(cells.of, np.minimum(grown, own), count)
    free = _bincount(cells.of, grown * (grown < own), count)
    total = np.zeros(cells.limits.size + 1)
    for row in cells.groups:
        total += _bincount(row, weight, total.size)
    return total[:-1], free


def _distance(sums: Floats, factors: Floats, limits: Floats) -> Floats:
    """How far each group is from its limit, relative to it: exceeded, or shrunk by more than needed."""
    wrong = (sums > limits) | (factors[:-1] < 1)
    found = np.zeros(limits.size)
    found[wrong] = np.abs(sums[wrong] - limits[wrong]) / np.where(limits[wrong] > 0, limits[wrong], 1.0)
    return found


def _step(free: Floats, active: Ints, sums: Floats, cells: Cells) -> Floats:
    """Solve H d = r for the groups that bind."""
    count = active.size
    place = np.full(cells.limits.size + 1, count)
    place[active] = np.arange(count)
    rows = place[cells.groups]
    matrix = np.zeros((count + 1) ** 2)
    for a in rows:
        for b in rows:
            matrix += _bincount(a * (count + 1) + b, free, matrix.size)
    return _solved(
        np.ascontiguousarray(matrix.reshape(count + 1, count + 1)[:count, :count]),
        sums[active] - cells.limits[active],
    )


def _solved(matrix: Floats, right: Floats) -> Floats:
    """Gauss-Jordan elimination of a symmetric positive semidefinite matrix; a row without a pivot gets solution 0."""
    table = np.column_stack((matrix, right))
    least = np.maximum(np.diag(matrix) * 1e-12, PIVOT_LEAST)
    for k, tiny in enumerate(least):
        pivot = table[k, k]
        if not pivot > tiny:
            table[k] = 0.0
            table[:, k] = 0.0
            continue
        table[k] = table[k] / pivot
        column = table[:, k].copy()
        column[k] = 0.0
        table -= column[:, None] * table[k]
    return table[:, -1]


def _stepped(factors: Floats, step: Floats) -> Floats:
    """factor * exp(-step) to first order, using only + - * /; at most 1 and never 0."""
    lower, higher = factors / (1 + np.maximum(step, 0.0)), factors * (1 - np.minimum(step, 0.0))
    moved: Floats = np.where(step > 0, lower, np.minimum(higher, 1.0))
    return moved


def _bincount(member: Ints, weights: Floats, count: int) -> Floats:
    """Sums of weights by member, added sequentially: unlike `np.sum`, the same on every machine."""
    return np.bincount(member, weights, count).astype(np.float64, copy=False)


def _renumbered(codes: Ints, count: int) -> tuple[Ints, int]:
    """Replace codes below `count` by 0, 1, 2, ... in their order. Returns the new codes and how many there are."""
    if count > 8 * codes.size + 1024:
        unique, found = np.unique(codes, return_inverse=True)
        return found.astype(np.int64), unique.size
    present = np.zeros(count, bool)
    present[codes] = True
    numbers = np.cumsum(present) - 1
    return numbers[codes], int(numbers[-1]) + 1 if count else 0
