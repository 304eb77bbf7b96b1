"""What is used of every cap, and so the headroom: exactly, in micro-dollars, counting the largest position that all
orders may still lead to."""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Headroom, Names, Usage
from rebalancer.planning.core.construct import group_of
from rebalancer.planning.core.project import FAMILIES
from rebalancer.planning.core.seams import Floats, Ints, integers, rule
from rebalancer.planning.core.units import part_of, trillionths, value_up


@rule
def open_usage(names: Names, limits: Ints, capital: int) -> Usage:
    """Count the worst case of all positions and orders. limits: trillionths of capital a group, rounded down."""
    groups, count = len(limits), len(names.price)
    usage = Usage(integers(groups), integers(groups), integers(count), integers(count))
    for g in range(groups):
        usage.most[g] = codes.UNLIMITED if limits[g] == codes.NO_LIMIT else part_of(capital, limits[g])
    for i in range(count):
        usage.position[i] = worst = names.worst[i]
        if worst != 0:
            usage.extra[i] = names.above[i]
            money = value_up(abs(worst), names.price[i], names.divisor[i]) + usage.extra[i]
            add(usage.used, names.sector[i], names.cluster[i], worst > 0, money)
    return usage


@rule
def copied(column: Ints) -> Ints:
    """The same numbers in a column of their own."""
    found = integers(len(column))
    for i in range(len(column)):
        found[i] = column[i]
    return found


@rule
def add(used: Ints, sector: int, cluster: int, is_long: bool, money: int) -> None:
    """Add money to the use of the groups of a name, on one side."""
    used[0] += money
    used[sector] += money
    used[cluster] += money
    used[len(used) - (2 if is_long else 1)] += money


@rule
def book(names: Names, usage: Usage, i: int, quantity: int) -> None:
    """Count a signed quantity as traded at the decision price."""
    price, divisor, sector, cluster = names.price[i], names.divisor[i], names.sector[i], names.cluster[i]
    before = usage.position[i]
    after = before + quantity
    if before != 0:
        add(usage.used, sector, cluster, before > 0, -value_up(abs(before), price, divisor))
    if after != 0:
        add(usage.used, sector, cluster, after > 0, value_up(abs(after), price, divisor))
    usage.position[i] = after


@rule
def own_used(names: Names, usage: Usage, i: int) -> int:
    """The money that counts against the name's own cap."""
    return value_up(abs(usage.position[i]), names.price[i], names.divisor[i]) + usage.extra[i]


@rule
def headroom(usage: Usage, mine: int, sector: int, cluster: int, is_long: bool) -> Headroom:
    """The headroom under the tightest cap of a name; of equally tight ones the first by name: correlation, gross, long,
    position, sector, short.

    mine: the money that the name's own cap can still take."""
    most, used = usage.most, usage.used
    left, tightest = most[cluster] - used[cluster], cluster
    long_side, short_side = len(most) - 2, len(most) - 1
    if most[0] - used[0] < left:
        left, tightest = most[0] - used[0], 0
    if is_long and most[long_side] - used[long_side] < left:
        left, tightest = most[long_side] - used[long_side], long_side
    if mine < left:
        left, tightest = mine, codes.OWN_CAP
    if most[sector] - used[sector] < left:
        left, tightest = most[sector] - used[sector], sector
    if not is_long and most[short_side] - used[short_side] < left:
        left, tightest = most[short_side] - used[short_side], short_side
    return Headroom(max(left, 0), tightest)


@rule
def exceeded_cap(names: Names, usage: Usage, own: Floats, capital: int, i: int) -> int:
    """A cap that this name's position counts towards and that is exceeded; `codes.NO_CAP` when none is."""
    if own_used(names, usage, i) > part_of(capital, trillionths(own[i])):
        return codes.OWN_CAP
    for family in range(FAMILIES):
        g = group_of(names, i, family, usage.position[i] > 0, len(usage.most))
        if usage.used[g] > usage.most[g]:
            return g
    return codes.NO_CAP
