"""Shrink raw weights until every cap holds, by no more than needed and independently of any order.

The weights are the I-projection of the raw ones (Csiszar 1975): with u the raw sizes, c the names' own caps and C the
limits of the groups,

    minimise  sum_i ( w_i log(w_i / u_i) - w_i + u_i )   subject to   0 <= w_i <= c_i,   sum of each group <= C_k

The solution is unique and multiplicative, w_i = min(c_i, u_i x the factors of its groups), which makes it easy to
explain: "sector Technology x 0.82". It is found on the dual, whose variables are the factors: `climb` by Newton's
method (semismooth: Qi and Sun 1993) as long as each step at least halves the distance, and otherwise `sweep`, one
family of groups after the other (Bregman), which always converges. `trim` removes what rounding leaves above a limit.

Every name is in one group of each of the four families: all names, sectors, correlation groups, sides. The groups of a
name stand side by side in `member`.
"""

from __future__ import annotations

from typing import Final

from rebalancer.planning.core.seams import Floats, Ints, floats, integers, rule

FAMILIES: Final = 4
SWEEPS_MAX: Final = 20_000
SETTLED: Final = 1e-14  # relative change of a factor below which it has converged
ARRIVED: Final = 2e-14  # relative distance from the limits at which the factors count as exact
BINDING_MAX: Final = 200  # with more groups than this, elimination costs more than it saves
PIVOT_LEAST: Final = 1e-290  # smaller pivots count as zero; dividing by them overflows
BELOW_ONE: Final = 1.0 - 2.3e-16


@rule
def project(size: Floats, own: Floats, member: Ints, limit: Floats) -> tuple[Floats, Floats]:
    """The weights, and one factor a group.

    size: raw weights, unsigned, fractions of capital. own: the largest weight of each name by itself. member: four
    groups a name. limit: per group the largest sum of weights; a group without a limit has one that is out of reach.
    """
    groups = len(limit)
    factor, weight = floats(groups), floats(len(size))
    for g in range(groups):
        factor[g] = 1.0 if limit[g] > 0 else 0.0
    if is_within(size, own, member, limit, factor, weight):
        return weight, factor
    for _ in range(SWEEPS_MAX):
        if climb(size, own, member, limit, factor) or not sweep(size, own, member, limit, factor):
            break
    is_within(size, own, member, limit, factor, weight)
    trim(weight, member, limit)
    return weight, factor


@rule
def is_within(size: Floats, own: Floats, member: Ints, limit: Floats, factor: Floats, weight: Floats) -> bool:
    """Fill in the weights of these factors; whether every group is within its limit."""
    total = floats(len(limit))
    for i in range(len(size)):
        weight[i] = min(grown(size[i], member, i, factor), own[i])
        for at in range(FAMILIES * i, FAMILIES * i + FAMILIES):
            total[member[at]] += weight[i]
    exceeded = 0
    for g in range(len(limit)):
        exceeded += total[g] > limit[g]
    return exceeded == 0


@rule
def grown(size: float, member: Ints, i: int, factor: Floats) -> float:
    """A raw weight times the factors of its groups."""
    at = FAMILIES * i
    return size * factor[member[at]] * factor[member[at + 1]] * factor[member[at + 2]] * factor[member[at + 3]]


@rule
def climb(size: Floats, own: Floats, member: Ints, limit: Floats, factor: Floats) -> bool:
    """Newton's method on the dual, in place. Whether the factors are exact."""
    groups = len(limit)
    free, off, tried = floats(len(size)), floats(groups), floats(groups)
    far = distance(size, own, member, limit, factor, free, off)
    while far > ARRIVED:
        step = newton_step(member, free, off)
        if len(step) == 0:
            return False
        for g in range(groups):
            if step[g] > 0:  # factor x exp(-step), to second order and never 0
                tried[g] = factor[g] / (1.0 + step[g])
            else:
                tried[g] = min(factor[g] * (1.0 - step[g]), 1.0)
        now = distance(size, own, member, limit, tried, free, off)
        if not now <= far / 2.0:
            return False
        far = now
        for g in range(groups):
            factor[g] = tried[g]
    return True


@rule
def distance(
    size: Floats, own: Floats, member: Ints, limit: Floats, factor: Floats, free: Floats, off: Floats
) -> float:
    """The largest relative distance of a group from where it should be: exceeded, or shrunk by more than needed. Fills
    in that excess (`off`, 0 where nothing is wrong), and the weight of each name below its own cap (`free`)."""
    for g in range(len(limit)):
        off[g] = 0.0
    for i in range(len(size)):
        wide = grown(size[i], member, i, factor)
        free[i] = wide if wide < own[i] else 0.0
        weight = min(wide, own[i])
        for at in range(FAMILIES * i, FAMILIES * i + FAMILIES):
            off[member[at]] += weight
    far = 0.0
    for g in range(len(limit)):
        off[g] -= limit[g]
        if off[g] <= 0 and factor[g] >= 1:
            off[g] = 0.0
        far = max(far, abs(off[g]) / (limit[g] if limit[g] > 0 else 1.0))
    return far


@rule
def newton_step(member: Ints, free: Floats, off: Floats) -> Floats:
    """Solve H step = off over the groups that are off; H_kl is the free weight of the names in both k and l. Symmetric,
    so only its upper half is kept; a row without a pivot gets the answer 0. Empty when there are too many groups."""
    groups = len(off)
    place, active, wide = integers(groups), integers(groups), 0
    for g in range(groups):
        if off[g] != 0:
            active[wide] = g
            wide += 1
            place[g] = wide
    if wide > BINDING_MAX:
        return floats(0)
    table, right, least, step = floats(wide * wide), floats(wide), floats(wide), floats(groups)
    for i in range(len(free)):
        if free[i] > 0:
            last = FAMILIES * i + FAMILIES
            for at in range(FAMILIES * i, last):
                row = place[member[at]] - 1
                if row >= 0:
                    for other in range(at, last):
                        column = place[member[other]] - 1
                        if column >= 0:
                            table[min(row, column) * wide + max(row, column)] += free[i]
    for k in range(wide):
        right[k] = off[active[k]]
        least[k] = max(table[k * wide + k] * 1e-12, PIVOT_LEAST)
    for k in range(wide):
        pivot = table[k * wide + k]
        if not pivot > least[k]:
            continue
        for row in range(k + 1, wide):
            share = table[k * wide + row] / pivot
            if share != 0:
                right[row] -= share * right[k]
                for column in range(row, wide):
                    table[row * wide + column] -= share * table[k * wide + column]
    for k in range(wide - 1, -1, -1):
        rest = right[k]
        for column in range(k + 1, wide):
            rest -= table[k * wide + column] * step[active[column]]
        step[active[k]] = rest / table[k * wide + k] if table[k * wide + k] > least[k] else 0.0
    return step


@rule
def sweep(size: Floats, own: Floats, member: Ints, limit: Floats, factor: Floats) -> bool:
    """Bring each family within its limits in turn, in place. Whether any factor moved."""
    moved = False
    for family in range(FAMILIES):
        moved = sweep_family(size, own, member, limit, factor, family) or moved
    return moved


@rule
def sweep_family(size: Floats, own: Floats, member: Ints, limit: Floats, factor: Floats, family: int) -> bool:
    """The largest factors of one family that keep its groups within their limits, the others being as they are. The
    sum of a group is concave, increasing and piecewise linear in its factor: from below, Newton's method arrives in
    finitely many steps."""
    count, groups = len(size), len(limit)
    part, total, found, slope, reached = floats(count), floats(groups), floats(groups), floats(groups), floats(groups)
    for i in range(count):
        part[i] = size[i]
        for other in range(FAMILIES):
            if other != family:
                part[i] *= factor[member[FAMILIES * i + other]]
        g = member[FAMILIES * i + family]
        total[g] += part[i]
        reached[g] += min(part[i], own[i])
    for g in range(groups):
        found[g] = 1.0 if reached[g] <= limit[g] else limit[g] / total[g]
    climbing = True
    while climbing:
        climbing = False
        for g in range(groups):
            reached[g], slope[g] = 0.0, 0.0
        for i in range(count):
            g = member[FAMILIES * i + family]
            if found[g] < 1:
                wide = part[i] * found[g]
                slope[g] += part[i] if wide < own[i] else 0.0
                reached[g] += min(wide, own[i])
        for g in range(groups):
            if slope[g] > 0 and reached[g] < limit[g]:
                higher = min(found[g] + (limit[g] - reached[g]) / slope[g], 1.0)
                climbing = climbing or higher > found[g] * (1.0 + 2e-16)
                found[g] = max(higher, found[g])
    moved = False
    for g in range(groups):
        if total[g] > 0:
            moved = moved or abs(found[g] - factor[g]) > SETTLED * factor[g]
            factor[g] = found[g]
    return moved


@rule
def trim(weight: Floats, member: Ints, limit: Floats) -> None:
    """Remove the excess over a limit that rounding leaves (relative size 1e-14), in place."""
    for _ in range(8):
        is_clean = True
        for family in range(FAMILIES):
            total = floats(len(limit))
            for i in range(len(weight)):
                total[member[FAMILIES * i + family]] += weight[i]
            for i in range(len(weight)):
                g = member[FAMILIES * i + family]
                if total[g] > limit[g]:
                    is_clean = False
                    weight[i] *= limit[g] / total[g] * BELOW_ONE
        if is_clean:
            return
