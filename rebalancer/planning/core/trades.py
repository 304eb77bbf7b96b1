"""Target weights to whole lots, and whether they are worth trading.

Target shares are rounded toward zero to the lot, so a target never breaks a cap. The trade is the target less what is
held and what our working orders may still fill. A drift inside the no-trade band, or a trade below the minimum, is not
traded unless it closes the position. Trading costs widen the band, but not for a position that a cap reduces, nor for
one that is opened or reversed. A trade through zero is two: close, then open.
"""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, Opinions, Targets, Trades
from rebalancer.planning.core.cost_band import cost_width, fixed_width
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
        state = targets.state[i]
        if state == codes.FIXED:
            continue
        weight, raw, bar = targets.weight[i], targets.raw[i], targets.bar[i]
        price, divisor, held, pending = names.price[i], names.divisor[i], names.held[i], names.pending[i]
        now = held + pending
        off = weight - fraction(now, price, divisor, funds.capital)
        edge = wide = fixed_width(numbers, weight)
        shrunk = is_shrunk(targets, state, raw, names.sector[i], names.cluster[i])
        goal = weight
        is_over = weight * off < 0 and (shrunk or is_at_own_cap(targets, i))  # a cap demands the target itself
        if weight * now > 0 and not is_over:  # the region around a target has no zero in it
            wide = max(wide, cost_width(names, numbers, i, weight))
            if off * now >= 0:  # a trade toward zero goes to the fixed edge: a cap that is exceeded may need it
                edge = wide
        if numbers.to_edge == 1 and abs(off) > wide and not is_over:
            goal -= edge if off > 0 else 0.0 - edge
        is_long = weight >= 0
        lot = names.lot_long[i] if is_long else names.lot_short[i]
        size = affordable(part_of(funds.capital, trillionths(goal)), price, divisor, lot)
        wanted = size if goal >= 0 else -size
        # What keeps its weight keeps its shares, odd lots included: rounding must not make a trade of it.
        if weight != 0 and weight == raw and not shrunk:
            if state == codes.SILENT:
                wanted, off = now, 0.0
            elif bar != 0 and weight == fraction(held, price, divisor, funds.capital):
                wanted = held
        whole = names.closing_lot[i] if held >= 0 else names.lot_short[i]
        closing, opening = split(held, pending, wanted, lot, whole)
        if (off > 0 and held > 0) or (off < 0 and held < 0):
            closing = 0  # only rounding puts the target below the holding: do not sell for that
        is_buy = closing + opening > 0
        worth_at = names.paid_buy[i] if is_buy else names.paid_sell[i]
        worth = value_down(max(abs(closing), abs(opening)), worth_at, divisor)
        part = whole if whole != 0 else names.lot_long[i]
        closes = weight == 0 and closing != 0 and abs(held + closing) < part
        order_min = order_min_of(names.coin[i], numbers, is_buy)
        # A forced reduction, and one that closes the position but for an odd lot that follows, need only what the venue
        # accepts.
        least = numbers.min_trade_money
        if (bar != 0 and bar != codes.NO_SHORT) or (closes and worth >= order_min):
            least = order_min
        is_silent = state == codes.SILENT
        found = classify(
            weight, raw, held, bar, opinions.note[i], is_silent, off, wide, wanted, closing, opening, worth < least
        )
        is_idle = found != codes.WITHIN_BAND and closing == 0 and opening == 0
        opposes = (pending > 0 and wanted < now) or (pending < 0 and wanted > now)
        if (found == codes.TRADE or is_idle) and opposes:
            found = codes.OTHER_SIDE
        drift[i], band[i], aimed[i], target[i], reduce[i], increase[i] = off, wide, goal, wanted, closing, opening
        paid[i], cost[i], urgency[i], code[i] = worth_at, max(price, worth_at), trillionths(off), found
        if funds.leaves == 0 and (names.is_selected[i] != 1 or numbers.side != 0 or numbers.has_at_most == 1):
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
def order_min_of(coin: int, numbers: Numbers, is_buy: bool) -> int:
    """The least money that the venue accepts in one order on this side."""
    if coin != 0:
        return numbers.crypto_order_min_money
    return numbers.equity_purchase_min_money if is_buy else 0


@rule
def is_shrunk(targets: Targets, state: int, raw: float, sector: int, cluster: int) -> bool:
    """Whether a cap of a group shrinks this target."""
    if raw == 0:
        return False
    factor = targets.factor_silent if state == codes.SILENT else targets.factor_spoken
    side = len(factor) - (2 if raw > 0 else 1)
    return factor[0] < 1 or factor[sector] < 1 or factor[cluster] < 1 or factor[side] < 1


@rule
def is_at_own_cap(targets: Targets, i: int) -> bool:
    """Whether the name's own cap limits its target, to a trillionth of capital."""
    return targets.raw[i] != 0 and trillionths(targets.weight[i]) >= trillionths(targets.own[i])


@rule
def split(held: int, pending: int, target: int, lot: int, whole: int) -> tuple[int, int]:
    """Signed base units to trade toward zero and away from it.

    lot: of what is opened. whole: of what is closed; 0 when any fraction can be. The reduction is rounded away from
    zero, so that it ends within the target, but never beyond what is held; the increase is rounded toward zero. An
    odd-lot remainder is closed last, in one piece. While orders of ours are working, only the remaining difference is
    traded, and never a flip."""
    now = held + pending
    is_flip = (now > 0 and target < 0) or (now < 0 and target > 0)
    closing, opening = 0, target - now
    if is_flip or target == 0:
        closing, opening = -now, target
    elif abs(target) < abs(now):
        closing, opening = target - now, 0
    if closing != 0:
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
def classify(
    weight: float,
    raw: float,
    held: int,
    bar: int,
    note: int,
    is_silent: bool,
    drift: float,
    band: float,
    target: int,
    reduce: int,
    increase: int,
    is_small: bool,
) -> int:
    """Why a name is not traded; `codes.TRADE` when it is."""
    is_within = abs(drift) <= band
    if bar != 0 and (reduce == 0 or (weight != 0 and is_within)):
        return codes.RESTRICTED
    if weight == 0 and held == 0:
        if note != 0:
            return codes.STANCE
        if raw != 0:
            return codes.NO_ROOM
    if is_silent and (target == held or (drift == 0 and weight != 0)):
        return codes.KEPT
    if is_within and held != 0:
        return codes.WITHIN_BAND
    if reduce == 0 and increase == 0:
        return codes.AT_TARGET if target == held and held != 0 else codes.BELOW_ONE_LOT
    if is_small:
        return codes.BELOW_MINIMUM
    return codes.WITHIN_BAND if is_within else codes.TRADE


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
