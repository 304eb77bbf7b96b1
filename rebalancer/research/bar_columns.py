"""The columns of the numeric core at one bar, and how each name ended there.

Written like the core, and compiled with it.
"""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Decision, Names, Numbers, SignalRows
from rebalancer.planning.core.seams import Ints, floats, integers, rule
from rebalancer.planning.core.units import affordable, is_exact, part_of
from rebalancer.research.tape import ABSENT, BARRED, PLANNED, UNTRADED, Conditions, Fixed, Tape

DUST = 1e-9  # of a drift: rounding error, as in `core.decisions`


@rule
def is_blind(t: int, tape: Tape, given: Conditions, held: Ints) -> bool:
    """Whether too many of the names that are wanted or held have no price at a bar."""
    wanted, missing, here = 0, 0, t - tape.first
    for i in range(len(held)):
        opinion = float(tape.opinion[here, i])
        if held[i] != 0 or opinion == opinion:
            wanted += 1
            missing += int(tape.close[here, i]) <= 0
    return float(missing) > given.unusable_most * float(wanted)


@rule
def code_of(is_ordered: bool, is_there: bool, is_tradable: bool, refused: int, code: int, bar: int) -> int:
    """How a name ended in a plan. refused: why its signal does not count, where it is not held; else 0."""
    if is_ordered:
        return PLANNED
    if not is_there:
        return ABSENT
    if refused != 0:
        return refused
    if not is_tradable:
        return UNTRADED
    return BARRED + bar if code == codes.RESTRICTED else code


@rule
def cycles_needed(fixed: Fixed, numbers: Numbers, price: Ints, held: Ints) -> int:
    """The cycles needed to close everything: one order a name and cycle, of the largest trade or one lot each."""
    total, longest = 0, 1
    for i in range(len(held)):
        if held[i] == 0:
            continue
        size, whole = abs(held[i]), fixed.closing_lot[i] if held[i] > 0 else fixed.lot_short[i]
        lots = size if whole == 0 else size // whole * whole
        part = whole if whole != 0 else fixed.lot_long[i]
        most = max(affordable(numbers.largest_trade_money, price[i], fixed.divisor[i], part), part)
        pieces = (lots + most - 1) // most + (1 if lots != size else 0)
        total += pieces
        longest = max(longest, pieces)
    at_once = max(numbers.orders_at_once, 1)
    return max(longest, (total + at_once - 1) // at_once)


@rule
def waits_for_drift(names: Names, decision: Decision, most: float) -> bool:
    """Whether there is something to trade, and no name that could be traded is farther off its target; what is left out
    does not count."""
    found = decision.orders
    is_ordinary = len(found.reduce_order) + len(found.increase_order) > 0
    for i in range(len(names.price)):
        if is_wanted(0, found.denied[i]) and abs(decision.trades.drift[i]) > decision.trades.band[i]:
            is_ordinary = True
    if not is_ordinary:
        return False
    for i in range(len(names.price)):
        code = decision.trades.code[i]
        is_left_out = code == codes.NOT_IN_ONLY or code == codes.EXCLUDED or code == codes.SIDE_EXCLUDED
        is_signalled = names.first[i + 1] > names.first[i]
        counts = names.tradable[i] == 1 and (names.held[i] != 0 or is_signalled) and not is_left_out
        if counts and abs(decision.trades.drift[i]) > most * (1 + DUST):
            return False
    return True


@rule
def is_wanted(code: int, denied: int) -> bool:
    """Whether a trade was sent, or one that an execution limit denied."""
    if code != PLANNED and code < UNTRADED and denied != 0:
        return (
            denied == codes.NOT_FREE or denied == codes.NO_WHOLE_LOTS or denied == codes.AT_ONCE
            or denied == codes.NOT_CLOSED or denied == codes.BUYING_POWER or denied == codes.TURNOVER
            or denied == codes.PER_SYMBOL or denied == codes.PER_DAY or denied == codes.PER_EXECUTION
        )  # fmt: skip
    return code == PLANNED


@rule
def price_up(price: int, rate: int) -> int:
    """A price increased by a rate of trillionths, rounded up."""
    found = price + part_of(price, rate)
    return found if is_exact(rate, price, codes.RATE) else found + 1


@rule
def limit_price(price: int, rate: int, grain: int, is_coin: bool, is_buy: bool) -> int:
    """The price that an order accepts at most (a sale: at least), on the tick of its side. grain: a dollar."""
    if is_buy:
        far = price + part_of(price, rate)
        tick = grain // 100 if is_coin or far >= grain else grain // 10_000
        return far // tick * tick
    less = part_of(price, rate)
    lowest = price - less - (0 if is_exact(rate, price, codes.RATE) else 1)
    tick = grain // 100 if is_coin or lowest >= grain else grain // 10_000
    return (price - less + tick - 1) // tick * tick


@rule
def columns_at(
    t: int, tape: Tape, fixed: Fixed, given: Conditions, price: Ints, held: Ints, sent: Ints, refused: Ints, cools: Ints
) -> Names:
    """The columns of the core at the close of a bar. price: the last known one of every name. refused, cools: as
    `position_exits` finds them."""
    count = len(held)
    first, tradable, available, worst = integers(count + 1), integers(count), integers(count), integers(count)
    volatility, cost, reserve_buy, reserve_sell = floats(count), floats(count), integers(count), integers(count)
    zero, most, coin, paid = integers(count), integers(count), integers(count), integers(count)
    now, orders, cluster, paid_sell = integers(count), integers(count), integers(count), integers(count)
    known, below, above = integers(count), integers(count), integers(count)
    rows, here, day = 0, t - tape.first, tape.day[t] - tape.first_day
    for i in range(count):
        first[i] = rows
        opinion, cluster[i] = float(tape.opinion[here, i]), int(tape.cluster[day, i])
        if int(tape.close[here, i]) > 0:
            tradable[i] = 1
            if opinion == opinion and refused[i] == 0:
                rows += 1
                stop = int(tape.stop[here, i]) if given.names_exits == 1 else 0
                if 0 < stop < price[i]:
                    below[i] = max(stop, 1)
                elif stop > price[i]:
                    above[i] = stop
        volatility[i], cost[i] = float(tape.volatility[day, i]), float(tape.trading_cost[day, i])
        now[i], orders[i], worst[i], available[i], known[i] = held[i], sent[i], held[i], abs(held[i]), price[i]
        paid[i] = paid_sell[i] = price[i]
        if given.limit_rate >= 0 and price[i] > 0:
            paid[i] = limit_price(price[i], given.limit_rate, fixed.split[i] // 50, fixed.coin[i] != 0, True)
            paid_sell[i] = limit_price(price[i], given.limit_rate, fixed.split[i] // 50, fixed.coin[i] != 0, False)
        most[i] = codes.UNLIMITED
        buy, sell = given.collar_high_rate, given.collar_short_rate
        if fixed.coin[i] != 0:
            coin[i] = codes.DEAR_COIN if price[i] > fixed.dear[i] else codes.COIN
            buy, sell = given.collar_crypto_rate, given.collar_crypto_rate
        elif price[i] < fixed.split[i]:
            buy = given.collar_low_rate
        buy, sell = max(buy, given.limit_rate), max(sell, given.limit_rate)
        reserve_buy[i], reserve_sell[i] = price_up(price[i], buy), price_up(price[i], sell)
    first[count] = rows
    return Names(
        first, tradable, fixed.may_short, coin, cools, fixed.is_selected, fixed.sector, cluster, volatility, cost,
        below, above, known, paid, paid_sell, reserve_buy, reserve_sell, fixed.divisor, fixed.lot_long, fixed.lot_short,
        fixed.closing_lot, now, zero, worst, available, zero, orders, most, most,
    )  # fmt: skip


@rule
def signals_at(t: int, tape: Tape, given: Conditions, names: Names) -> SignalRows:
    """The instructions in force at a bar, one row a name."""
    rows, here = names.first[len(names.price)], t - tape.first
    is_target, hold, target = integers(rows), integers(rows), floats(rows)
    score, confidence, weight = floats(rows), floats(rows), floats(rows)
    for i in range(len(names.price)):
        row = names.first[i]
        if row < names.first[i + 1]:
            opinion = float(tape.opinion[here, i])
            weight[row], is_target[row] = 1.0, given.is_target
            if given.is_target == 1:
                target[row], confidence[row] = opinion, 1.0
            else:
                score[row], confidence[row] = opinion, float(tape.confidence[here, i])
    return SignalRows(is_target, target, score, confidence, weight, hold)
