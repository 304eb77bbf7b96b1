"""Target weights. Headroom under the caps is given away in this order:

1. what cannot be traded now takes its room at its worst case;
2. what is held without a signal that counts keeps its weight, shrunk only if it breaks a cap by itself;
3. the names whose signals decide share what is left; those with a restriction keep at most what they hold.
"""

from __future__ import annotations

from typing import Final

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, Opinions, Targets
from rebalancer.planning.core.project import FAMILIES, project
from rebalancer.planning.core.seams import Floats, Ints, floats, integers, ranked, rule
from rebalancer.planning.core.size import SURE
from rebalancer.planning.core.units import affordable, fraction, part_of, trillionths, value_down

UNBOUNDED: Final = 1e18  # headroom of a group without a limit
NEGLIGIBLE: Final = 1e-12  # fraction of capital; less headroom than this is rounding error


@rule
def construct_targets(
    names: Names, limits: Ints, numbers: Numbers, funds: Funds, opinions: Opinions, speaks: bool
) -> Targets:
    """Size and cap all targets. limits: trillionths of capital a group. speaks: whether any signal counts at all."""
    count, groups = len(names.price), len(limits)
    state, raw, bar = integers(count), floats(count), integers(count)
    own, own_rule, opened = floats(count), integers(count), integers(count)
    weight, left = floats(count), floats(groups)
    for g in range(groups):
        left[g] = UNBOUNDED if limits[g] == codes.NO_LIMIT else limits[g] / 1e12
    for i in range(count):
        note, is_spoken = opinions.note[i], names.first[i] < names.first[i + 1]
        raw[i], bar[i] = opinions.raw[i], opinions.bar[i]
        if names.tradable[i] == 0:
            state[i] = codes.FIXED
            worst = fraction(names.worst[i], names.price[i], names.divisor[i], funds.capital)
            take(names, left, i, worst)
            raw[i] = worst
            continue
        if not is_spoken or (funds.leaves == 0 and names.held[i] != 0 and keeps(note, numbers)):
            state[i] = codes.SILENT
            raw[i] = 0.0
            if is_spoken or numbers.silence_holds == 1 or not speaks:
                raw[i] = held_weight(names, i, funds.capital)
        if funds.leaves == 1:
            raw[i], bar[i] = 0.0, codes.LEAVING
        own[i], own_rule[i] = own_cap(names, i, raw[i] >= 0, numbers)
    factor_silent = place(names, state, codes.SILENT, raw, own, left, weight)
    restrict(names, limits, numbers, funds, opinions, state, raw, own, bar, opened, left)
    factor_spoken = place(names, state, codes.SPOKEN, raw, own, left, weight)
    return Targets(state, raw, own, own_rule, bar, opened, weight, factor_silent, factor_spoken)


@rule
def keeps(note: int, numbers: Numbers) -> bool:
    """Whether signals that open nothing leave an existing position unchanged."""
    if note == codes.SAYS_HOLD or note == codes.BETWEEN or note == codes.NO_QUORUM:
        return True
    return (note == codes.SAYS_NOTHING or note == codes.TOO_WEAK) and numbers.neutral_holds == 1


@rule
def held_weight(names: Names, i: int, capital: int) -> float:
    """The signed fraction of capital that is held now."""
    return fraction(names.held[i], names.price[i], names.divisor[i], capital)


@rule
def stop_distance(names: Names, i: int, is_long: bool, numbers: Numbers) -> float:
    """The stop distance as a fraction of the price: from a signal with a stop on the losing side, else the default."""
    stop = names.stop_below[i] if is_long else names.stop_above[i]
    if stop == 0:
        return numbers.default_stop_distance
    return float(abs(names.price[i] - stop)) / float(names.price[i])


@rule
def own_cap(names: Names, i: int, is_long: bool, numbers: Numbers) -> tuple[float, int]:
    """The largest weight of a name by itself, and the rule that sets it. Heat is a loss, so it is measured against
    equity: weight x capital_scaling x stop distance <= max_trade_heat."""
    risk = numbers.max_position_risk / names.volatility[i]
    heat = numbers.max_trade_heat / (numbers.capital_scaling * stop_distance(names, i, is_long, numbers))
    if numbers.max_position_size <= risk and numbers.max_position_size <= heat:
        return numbers.max_position_size, codes.OWN_SIZE
    if risk <= heat:
        return risk, codes.OWN_RISK
    return heat, codes.OWN_HEAT


@rule
def group_of(names: Names, i: int, family: int, is_long: bool, groups: int) -> int:
    """The group of a name in a family: all names, its sector, its correlation group, its side."""
    if family == 0:
        return 0
    if family == 1:
        return names.sector[i]
    if family == 2:
        return names.cluster[i]
    return groups - 2 if is_long else groups - 1


@rule
def take(names: Names, left: Floats, i: int, weight: float) -> None:
    """Give the headroom of a signed weight away."""
    if weight != 0:
        for family in range(FAMILIES):
            g = group_of(names, i, family, weight > 0, len(left))
            rest = left[g] - abs(weight)
            left[g] = rest if rest > NEGLIGIBLE else 0.0


@rule
def place(names: Names, state: Ints, which: int, raw: Floats, own: Floats, left: Floats, weight: Floats) -> Floats:
    """Project the names of one state onto what is left, and take it. Fills in their weights; returns the factors."""
    count = len(raw)
    rows, most = integers(count), 0
    for i in range(count):
        if state[i] == which and raw[i] != 0:
            rows[most] = i
            most += 1
    size, cap, member = floats(most), floats(most), integers(FAMILIES * most)
    for j in range(most):
        i = rows[j]
        size[j], cap[j] = abs(raw[i]), own[i]
        for family in range(FAMILIES):
            member[FAMILIES * j + family] = group_of(names, i, family, raw[i] > 0, len(left))
    found, factor = project(size, cap, member, left)
    for j in range(most):
        i = rows[j]
        weight[i] = found[j] if raw[i] > 0 else 0.0 - found[j]
        take(names, left, i, weight[i])
    return factor


@rule
def restrict(
    names: Names,
    limits: Ints,
    numbers: Numbers,
    funds: Funds,
    opinions: Opinions,
    state: Ints,
    raw: Floats,
    own: Floats,
    bar: Ints,
    opened: Ints,
    left: Floats,
) -> None:
    """Bar the names in which nothing may be opened or enlarged, in place: `bar` says why, and `raw` keeps at most what
    is held. A name that would be too small to trade once the caps are applied takes no place from another."""
    count = len(raw)
    is_limited = numbers.max_positions >= 0 or numbers.max_correlated_positions >= 0
    wanted, barred, tiny, others = floats(count), integers(count), integers(count), integers(count)
    for i in range(count):
        wanted[i] = raw[i]
        if state[i] == codes.SPOKEN and raw[i] != 0:
            if 0 <= numbers.max_stop_distance < stop_distance(names, i, raw[i] > 0, numbers):
                barred[i] = codes.STOP_FAR
            if names.is_cooling[i] == 1:
                barred[i] = codes.COOLING
            if numbers.above_75 == 1 and opinions.confidence[i] < SURE:
                barred[i] = codes.UNSURE
            if opinions.vetoed[i] == 1:
                barred[i] = codes.VETOED
    while True:
        for i in range(count):
            others[i] = codes.NO_PLACE if tiny[i] == 1 else barred[i]
            opened[i] = 0
        is_full = is_limited and crowd(names, len(limits), numbers, state, wanted, barred, tiny, others, opened)
        for i in range(count):
            raw[i] = wanted[i]
            if others[i] != 0:
                raw[i] = at_most_held(wanted[i], held_weight(names, i, funds.capital))
        if not is_full:
            break
        rest, weight = floats(len(left)), floats(count)
        for g in range(len(left)):
            rest[g] = left[g]
        place(names, state, codes.SPOKEN, raw, own, rest, weight)
        is_same = True
        for i in range(count):
            is_new = state[i] == codes.SPOKEN and raw[i] != 0 and names.held[i] == 0 and names.worst[i] == 0
            if is_new and is_tiny(names, i, weight[i], numbers, funds.capital):
                tiny[i], is_same = 1, False
        if is_same:
            break
    for i in range(count):
        if raw[i] != wanted[i]:
            bar[i] = others[i]


@rule
def crowd(
    names: Names,
    groups: int,
    numbers: Numbers,
    state: Ints,
    wanted: Floats,
    barred: Ints,
    tiny: Ints,
    others: Ints,
    opened: Ints,
) -> bool:
    """Bar the new names for which the limits on the number of positions leave no place; existing positions come first,
    then the largest raw weights. `opened` counts the larger ones admitted before. Whether any is barred for that."""
    count = len(wanted)
    rows, most, urgency = integers(count), 0, integers(count)
    in_group, opened_in, everywhere, total = integers(groups), integers(groups), 0, 0
    for i in range(count):
        if names.held[i] != 0 or names.worst[i] != 0:
            in_group[names.cluster[i]] += 1
            everywhere += 1
        elif state[i] == codes.SPOKEN and wanted[i] != 0 and barred[i] == 0 and tiny[i] == 0:
            urgency[i] = trillionths(wanted[i])
            rows[most] = i
            most += may_open(names, i, wanted[i] > 0, numbers)
    order = ranked(rows, most, urgency)
    is_full = False
    for k in range(most):
        i = order[k]
        g = names.cluster[i]
        if 0 <= numbers.max_correlated_positions <= in_group[g] + opened_in[g]:
            others[i], opened[i], is_full = codes.GROUP_FULL, opened_in[g], True
        elif 0 <= numbers.max_positions <= everywhere + total:
            others[i], opened[i], is_full = codes.ACCOUNT_FULL, total, True
        else:
            opened_in[g] += 1
            total += 1
    return is_full


@rule
def may_open(names: Names, i: int, is_long: bool, numbers: Numbers) -> bool:
    """Whether the user's selection lets this name be opened; what it leaves out takes no position's place."""
    if names.is_selected[i] != 1:
        return False
    if numbers.has_at_most == 1 and names.most_increase[i] == 0:
        return False
    return numbers.side == 0 or (numbers.side == 1) == is_long


@rule
def at_most_held(wanted: float, held: float) -> float:
    """The part of a signed weight that neither opens nor enlarges a position."""
    if wanted * held <= 0:
        return 0.0
    return wanted if abs(wanted) <= abs(held) else held


@rule
def is_tiny(names: Names, i: int, weight: float, numbers: Numbers, capital: int) -> bool:
    """Whether a new position of this weight is below the minimum trade, or one lot exceeds the largest order."""
    price, divisor = names.price[i], names.divisor[i]
    lot = names.lot_long[i] if weight >= 0 else names.lot_short[i]
    paid = names.paid_buy[i] if weight >= 0 else names.paid_sell[i]
    size = affordable(part_of(capital, trillionths(weight)), price, divisor, lot)
    size = min(size, affordable(numbers.largest_trade_money, max(price, paid), divisor, lot))
    return value_down(size, paid, divisor) < numbers.min_trade_money
