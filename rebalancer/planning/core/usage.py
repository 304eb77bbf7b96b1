"""What is used of every cap, and so the headroom: exactly, in micro-dollars, counting the largest position that all
orders may still lead to."""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Names
from rebalancer.planning.core.construct import group_of
from rebalancer.planning.core.project import FAMILIES
from rebalancer.planning.core.seams import Floats, Ints, integers, rule
from rebalancer.planning.core.units import part_of, trillionths, value_up


@rule
def allowed(limits: Ints, capital: int) -> Ints:
    """The money that each group may have, rounded down."""
    money = integers(len(limits))
    for g in range(len(limits)):
        money[g] = codes.UNLIMITED if limits[g] == codes.NO_LIMIT else part_of(capital, limits[g])
    return money


@rule
def add(used: Ints, sector: int, cluster: int, is_long: bool, money: int) -> None:
    """Add money to the use of the groups of a name, on one side."""
    used[0] += money
    used[sector] += money
    used[cluster] += money
    used[len(used) - (2 if is_long else 1)] += money


@rule
def open_usage(names: Names, used: Ints, position: Ints, extra: Ints) -> None:
    """Count the worst case of all positions and orders. `extra`: money by name beyond the value of its position."""
    for i in range(len(position)):
        position[i] = worst = names.worst[i]
        if worst != 0:
            extra[i] = names.above[i]
            money = value_up(abs(worst), names.price[i], names.divisor[i]) + extra[i]
            add(used, names.sector[i], names.cluster[i], worst > 0, money)


@rule
def book(names: Names, used: Ints, position: Ints, i: int, quantity: int) -> None:
    """Count a signed quantity as traded at the decision price."""
    price, divisor, sector, cluster = names.price[i], names.divisor[i], names.sector[i], names.cluster[i]
    before = position[i]
    after = before + quantity
    if before != 0:
        add(used, sector, cluster, before > 0, -value_up(abs(before), price, divisor))
    if after != 0:
        add(used, sector, cluster, after > 0, value_up(abs(after), price, divisor))
    position[i] = after


@rule
def own_used(names: Names, position: Ints, extra: Ints, i: int) -> int:
    """The money that counts against the name's own cap."""
    return value_up(abs(position[i]), names.price[i], names.divisor[i]) + extra[i]


@rule
def headroom(most: Ints, used: Ints, mine: int, sector: int, cluster: int, is_long: bool) -> tuple[int, int]:
    """The money that the tightest cap of a name can still take, never negative, and which cap that is. Of equally tight
    ones the first by name: correlation, gross, long, position, sector, short.

    mine: the money that the name's own cap can still take."""
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
    return max(left, 0), tightest


@rule
def exceeded_cap(
    names: Names, most: Ints, used: Ints, own: Floats, capital: int, position: Ints, extra: Ints, i: int
) -> int:
    """A cap that this name's position counts towards and that is exceeded; `codes.NO_CAP` when none is."""
    if own_used(names, position, extra, i) > part_of(capital, trillionths(own[i])):
        return codes.OWN_CAP
    for family in range(FAMILIES):
        g = group_of(names, i, family, position[i] > 0, len(most))
        if used[g] > most[g]:
            return g
    return codes.NO_CAP
