"""Target weights to whole lots, and whether they are worth trading.

Target shares are rounded toward zero to the lot, so a target never breaks a cap. The trade is the target less what is
held and what our working orders may still fill. A drift inside the no-trade band, or a trade below the minimum, is not
traded unless it closes the position. A trade through zero is two: close, then open.
"""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, Opinions, Targets, Trades
from rebalancer.planning.core.construct import group_of
from rebalancer.planning.core.project import FAMILIES
from rebalancer.planning.core.seams import Ints, floats, integers, rule
from rebalancer.planning.core.units import affordable, fraction, part_of, signed, trillionths, value_down


@rule
def compute_trades(names: Names, numbers: Numbers, funds: Funds, opinions: Opinions, targets: Targets) -> Trades:
    """Compare every target with its position. What the user's selection leaves out is not traded, unless every position
    is being closed."""
    count = len(names.price)
    drift, band, aimed = floats(count), floats(count), floats(count)
    target, reduce, increase = integers(count), integers(count), integers(count)
    paid, cost, urgency, code = integers(count), integers(count), integers(count), integers(count)
    for i in range(count):
        if targets.state[i] == codes.FIXED:
            continue
        weight, price, divisor = targets.weight[i], names.price[i], names.divisor[i]
        now = names.held[i] + names.pending[i]
        drift[i] = weight - fraction(now, price, divisor, funds.capital)
        if weight != 0:
            band[i] = max(numbers.band_absolute, numbers.band_relative * abs(weight))
        aimed[i] = weight
        if numbers.to_edge == 1 and abs(drift[i]) > band[i] and not exceeds_cap(names, targets, i, drift[i]):
            aimed[i] -= band[i] if drift[i] > 0 else 0.0 - band[i]
        lot = lot_of(names, i, weight >= 0)
        target[i] = affordable(part_of(funds.capital, trillionths(aimed[i])), price, divisor, lot)
        if aimed[i] < 0:
            target[i] = -target[i]
        if is_kept(names, targets, i, funds.capital):
            target[i] = names.held[i]
            if targets.state[i] == codes.SILENT:
                target[i], drift[i] = now, 0.0
        reduce[i], increase[i] = split(names, i, target[i], lot)
        if (drift[i] > 0 and names.held[i] > 0) or (drift[i] < 0 and names.held[i] < 0):
            reduce[i] = 0  # only rounding puts the target below the holding: do not sell for that
        paid[i] = names.paid_buy[i] if reduce[i] + increase[i] > 0 else names.paid_sell[i]
        cost[i] = max(price, paid[i])
        urgency[i] = trillionths(drift[i])
        code[i] = judge(names, numbers, opinions, targets, i, drift[i], band[i], target[i], reduce[i], increase[i])
        is_idle = code[i] != codes.WITHIN_BAND and reduce[i] == 0 and increase[i] == 0
        opposes = (names.pending[i] > 0 and target[i] < now) or (names.pending[i] < 0 and target[i] > now)
        if (code[i] == codes.TRADE or is_idle) and opposes:
            code[i] = codes.OTHER_SIDE
        if funds.leaves == 0:
            select(names, numbers, i, reduce, increase, code)
    return Trades(drift, band, aimed, target, reduce, increase, paid, cost, urgency, code)


@rule
def lot_of(names: Names, i: int, is_long: bool) -> int:
    """The smallest quantity to trade."""
    return names.lot_long[i] if is_long else names.lot_short[i]


@rule
def closing_lot_of(names: Names, i: int) -> int:
    """The increment of a reduction of what is held; 0 when any fraction can be closed."""
    return names.closing_lot[i] if names.held[i] >= 0 else names.lot_short[i]


@rule
def part_lot_of(names: Names, i: int) -> int:
    """The smallest quantity into which a reduction may be split over several cycles."""
    lot = closing_lot_of(names, i)
    return lot if lot != 0 else lot_of(names, i, names.held[i] >= 0)


@rule
def order_min_of(names: Names, numbers: Numbers, i: int, is_buy: bool) -> int:
    """The least money that the venue accepts in one order on this side."""
    if names.coin[i] != 0:
        return numbers.crypto_order_min_money
    return numbers.equity_purchase_min_money if is_buy else 0


@rule
def is_shrunk(names: Names, targets: Targets, i: int) -> bool:
    """Whether a cap of a group shrinks this target."""
    if targets.raw[i] == 0:
        return False
    factor = targets.factor_silent if targets.state[i] == codes.SILENT else targets.factor_spoken
    least = 1.0
    for family in range(FAMILIES):
        least = min(least, factor[group_of(names, i, family, targets.raw[i] > 0, len(factor))])
    return least < 1


@rule
def is_at_own_cap(targets: Targets, i: int) -> bool:
    """Whether the name's own cap limits its target, to a trillionth of capital."""
    return targets.raw[i] != 0 and trillionths(targets.weight[i]) >= trillionths(targets.own[i])


@rule
def exceeds_cap(names: Names, targets: Targets, i: int, drift: float) -> bool:
    """Whether a cap limits the target and the position exceeds it: it is then traded to the target, not to the edge."""
    if targets.weight[i] * drift >= 0:
        return False
    return is_shrunk(names, targets, i) or is_at_own_cap(targets, i)


@rule
def is_kept(names: Names, targets: Targets, i: int, capital: int) -> bool:
    """Whether the target is exactly what is held, odd lots included: there is no signal that counts, or a restriction
    allows no more; and no cap shrinks it. Rounding must not make a trade of it."""
    weight = targets.weight[i]
    if weight == 0 or weight != targets.raw[i] or is_shrunk(names, targets, i):
        return False
    return targets.state[i] == codes.SILENT or (
        targets.bar[i] != 0 and weight == fraction(names.held[i], names.price[i], names.divisor[i], capital)
    )


@rule
def split(names: Names, i: int, target: int, lot: int) -> tuple[int, int]:
    """Signed base units to trade toward zero and away from it. The reduction is rounded away from zero, so that it ends
    within the target, but never beyond what is held; the increase is rounded toward zero. An odd-lot remainder is
    closed last, in one piece. While orders of ours are working, only the remaining difference is traded, and never a
    flip."""
    held, pending = names.held[i], names.pending[i]
    now = held + pending
    is_flip = (now > 0 and target < 0) or (now < 0 and target > 0)
    closing, opening = 0, target - now
    if is_flip or target == 0:
        closing, opening = -now, target
    elif abs(target) < abs(now):
        closing, opening = target - now, 0
    if closing != 0:
        whole = closing_lot_of(names, i)
        if whole != 0:
            sellable = abs(now) // whole * whole
            if sellable == 0:
                sellable = abs(now)
            closing = signed(min((abs(closing) + whole - 1) // whole * whole, sellable), closing)
        if held == 0 or (held > 0) == (closing > 0):
            closing = 0  # nothing held in this direction yet: pending shares cannot be sold before they fill
        closing = max(min(closing, abs(held)), -abs(held))
        if pending != 0 and is_flip:
            opening = 0
    return closing, signed(abs(opening) // lot * lot, opening)


@rule
def judge(
    names: Names,
    numbers: Numbers,
    opinions: Opinions,
    targets: Targets,
    i: int,
    drift: float,
    band: float,
    target: int,
    reduce: int,
    increase: int,
) -> int:
    """Why this name is not traded; `codes.TRADE` when it is. A forced reduction is exempt from the minimum, and so is one that
    closes the position."""
    weight, held, bar = targets.weight[i], names.held[i], targets.bar[i]
    is_within = abs(drift) <= band
    if bar != 0 and (reduce == 0 or (weight != 0 and is_within)):
        return codes.RESTRICTED
    if weight == 0 and held == 0:
        if opinions.note[i] != 0:
            return codes.STANCE
        if targets.raw[i] != 0:
            return codes.NO_ROOM
    if targets.state[i] == codes.SILENT and (target == held or (drift == 0 and weight != 0)):
        return codes.KEPT
    if is_within and held != 0:
        return codes.WITHIN_BAND
    if reduce == 0 and increase == 0:
        return codes.AT_TARGET if target == held and held != 0 else codes.BELOW_ONE_LOT
    is_buy = reduce + increase > 0
    paid = names.paid_buy[i] if is_buy else names.paid_sell[i]
    worth = value_down(max(abs(reduce), abs(increase)), paid, names.divisor[i])
    is_forced = bar not in (0, codes.NO_SHORT)
    if worth < least_trade(names, numbers, i, weight, reduce, is_forced, order_min_of(names, numbers, i, is_buy), worth):
        return codes.BELOW_MINIMUM
    return codes.WITHIN_BAND if is_within else codes.TRADE


@rule
def least_trade(
    names: Names, numbers: Numbers, i: int, weight: float, reduce: int, is_forced: bool, order_min: int, worth: int
) -> int:
    """The money below which a trade is not made. A forced reduction, and one that closes the position but for an odd lot
    that follows, need only what the venue accepts."""
    closes = weight == 0 and reduce != 0 and abs(names.held[i] + reduce) < part_lot_of(names, i)
    return order_min if is_forced or (closes and worth >= order_min) else numbers.min_trade_money


@rule
def select(names: Names, numbers: Numbers, i: int, reduce: Ints, increase: Ints, code: Ints) -> None:
    """Leave out what the user has excluded, in place. If the closing half of a flip is excluded, so is the other."""
    closing, opening, reason = reduce[i], increase[i], codes.TRADE
    if names.is_selected[i] != 1:
        closing, opening, reason = 0, 0, (codes.NOT_IN_ONLY if names.is_selected[i] == 0 else codes.EXCLUDED)
    else:
        if closing * numbers.side < 0:
            closing = 0
        if opening * numbers.side < 0 or closing != reduce[i]:
            opening = 0
        if closing == 0 and opening == 0 and numbers.side != 0:
            reason = codes.SIDE_EXCLUDED
        elif numbers.has_at_most == 1:
            closing = signed(min(abs(closing), names.most_reduce[i]), closing)
            opening = signed(min(abs(opening), names.most_increase[i]), opening)
            if closing == 0 and opening == 0:
                reason = codes.NOT_IN_AT_MOST
    reduce[i], increase[i] = closing, opening
    if reason != codes.TRADE and code[i] == codes.TRADE:
        code[i] = reason
