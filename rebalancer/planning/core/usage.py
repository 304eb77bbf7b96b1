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
        money[g] = part_of(capital, limits[g])
    return money


@rule
def add(names: Names, used: Ints, i: int, is_long: bool, money: int) -> None:
    """Add money to the use of a name's groups on one side."""
    for family in range(FAMILIES):
        used[group_of(names, i, family, is_long, len(used))] += money


@rule
def open_usage(names: Names, used: Ints, position: Ints, extra: Ints) -> None:
    """Count the worst case of all positions and orders. `extra`: money by name beyond the value of its position."""
    for i in range(len(position)):
        extra[i] = names.above[i]
        book(names, used, position, i, names.worst[i])
        add(names, used, i, names.worst[i] > 0, extra[i])


@rule
def book(names: Names, used: Ints, position: Ints, i: int, quantity: int) -> None:
    """Count a signed quantity as traded at the decision price."""
    price, divisor = names.price[i], names.divisor[i]
    if position[i] != 0:
        add(names, used, i, position[i] > 0, -value_up(abs(position[i]), price, divisor))
    position[i] += quantity
    if position[i] != 0:
        add(names, used, i, position[i] > 0, value_up(abs(position[i]), price, divisor))


@rule
def own_used(names: Names, position: Ints, extra: Ints, i: int) -> int:
    """The money that counts against the name's own cap."""
    return value_up(abs(position[i]), names.price[i], names.divisor[i]) + extra[i]


@rule
def headroom(
    names: Names,
    most: Ints,
    used: Ints,
    own: Floats,
    capital: int,
    position: Ints,
    extra: Ints,
    i: int,
    is_long: bool,
) -> tuple[int, int]:
    """The money that the tightest cap of a name can still take, never negative, and which cap that is. Of equally tight
    ones the first by name: correlation, gross, long, position, sector, short."""
    left, tightest = most[names.cluster[i]] - used[names.cluster[i]], names.cluster[i]
    long_side, short_side = len(most) - 2, len(most) - 1
    if most[0] - used[0] < left:
        left, tightest = most[0] - used[0], 0
    if is_long and most[long_side] - used[long_side] < left:
        left, tightest = most[long_side] - used[long_side], long_side
    mine = part_of(capital, trillionths(own[i])) - own_used(names, position, extra, i)
    if mine < left:
        left, tightest = mine, codes.OWN_CAP
    if most[names.sector[i]] - used[names.sector[i]] < left:
        left, tightest = most[names.sector[i]] - used[names.sector[i]], names.sector[i]
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
