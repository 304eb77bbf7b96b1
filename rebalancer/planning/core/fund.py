"""Cut increases to the headroom under every cap, to the buying power and to the orders left.

Called while planning, with what the reductions are expected to leave, and again after they have ended, with what they
really left. Every increase is counted in full, as if all of them filled; a reduction that did not fill still counts as
held. So no subset of fills, in any order, breaks a cap.
"""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Cuts, Funds, Names, Numbers, Usage
from rebalancer.planning.core.seams import Floats, Ints, integers, rule
from rebalancer.planning.core.trades import lot_of
from rebalancer.planning.core.units import affordable, part_of, trillionths, value_down, value_up
from rebalancer.planning.core.usage import add, book, headroom, own_used


@rule
def spendable(money: int, numbers: Numbers) -> int:
    """What may be spent of an amount that may be negative: less the buffer and what is withdrawn, never below 0."""
    return max(part_of(max(money, 0), numbers.power_kept_rate) - numbers.withdrawn_money, 0)


@rule
def fit_increases(
    names: Names,
    numbers: Numbers,
    funds: Funds,
    own: Floats,
    usage: Usage,
    order: Ints,
    paid: Ints,
    cost: Ints,
    reduced: Ints,
    released: int,
    turnover: int,
    sent: int,
    is_refit: bool,
    cuts: Cuts,
) -> Ints:
    """Fit the increases in `order`, and return those that are left, in that order; they are counted against everything
    or, when any limit denies them, against nothing.

    own: the largest weight of each name by itself. order: rows. released: money that reductions bring. turnover: money
    that may still be traded. sent: orders of this cycle so far. is_refit: order counts and turnover are not applied,
    since they were when the plan was made. Fills in `cuts` and changes the usage in place.
    """
    asked, position, left = cuts.asked, usage.position, integers(len(order))
    power, cash = spendable(funds.buying_power + released, numbers), spendable(funds.cash + released, numbers)
    day, kept = funds.orders_left - sent, 0
    for k in range(len(order)):
        i = order[k]
        is_long, size, divisor = asked[i] > 0, abs(asked[i]), names.divisor[i]
        cuts.increase[i] = 0
        if (position[i] > 0 and asked[i] < 0) or (position[i] < 0 and asked[i] > 0):
            cuts.denied[i] = codes.NOT_CLOSED
            continue
        lot = lot_of(names, i, is_long)
        reserve = names.reserve_buy[i] if is_long else names.reserve_sell[i]
        sector, cluster = names.sector[i], names.cluster[i]
        mine = part_of(funds.capital, trillionths(own[i])) - own_used(names, usage, i)
        room = headroom(usage, mine, sector, cluster, is_long)
        money = min(power, cash) if names.coin[i] != 0 else power
        fits = size if value_up(size, cost[i], divisor) <= room.money else affordable(room.money, cost[i], divisor, lot)
        paid_for = size if value_up(size, reserve, divisor) <= money else affordable(money, reserve, divisor, lot)
        quantity = min(size, fits, paid_for)
        if quantity < size and value_down(quantity, paid[i], divisor) < numbers.min_trade_money:
            if fits <= paid_for:
                cuts.denied[i], cuts.cap[i] = codes.UNDER_CAP, room.cap
            else:
                cuts.denied[i], cuts.detail[i] = codes.BUYING_POWER, money
            continue
        worth = value_up(quantity, cost[i], divisor)
        if not is_refit:
            mine = names.sent[i] + (1 if reduced[i] != 0 else 0)
            if worth > turnover:
                cuts.denied[i], cuts.detail[i] = codes.TURNOVER, worth
            elif mine >= numbers.orders_per_symbol:
                cuts.denied[i], cuts.detail[i] = codes.PER_SYMBOL, mine
            elif day - numbers.orders_reserved <= 0:
                cuts.denied[i], cuts.detail[i] = codes.PER_DAY, day
            elif sent >= numbers.orders_per_execution:
                cuts.denied[i] = codes.PER_EXECUTION
            elif sent >= numbers.orders_at_once:
                cuts.denied[i] = codes.AT_ONCE
            if cuts.denied[i] != 0:
                continue
        cuts.cap[i] = codes.NO_CAP
        if quantity < size and fits <= paid_for:
            cuts.cap[i] = room.cap
        cuts.increase[i] = quantity if is_long else -quantity
        left[kept] = i
        kept += 1
        sent += 1
        day -= 1
        if turnover < codes.UNLIMITED:
            turnover -= worth
        money = value_up(quantity, reserve, divisor)
        power -= money
        cash -= money
        before = value_up(abs(position[i]), names.price[i], divisor)
        book(names, usage, i, cuts.increase[i])
        more = value_up(abs(position[i]), names.price[i], divisor) - before
        if worth > more:  # the order may cost more than its shares are worth
            usage.extra[i] += worth - more
            add(usage.used, sector, cluster, is_long, worth - more)
    return left[:kept]
