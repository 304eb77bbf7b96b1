"""The loop over history: at every bar the numeric core decides, and its orders fill at this bar's close or at the next.

Written like the core: scalar loops, compiled where the extra `fast` is installed (`research.compiled` copies this text
beside the core's), and the same bits without it. Money is in micro-dollars, prices in the grains of each name,
quantities in base units, as in `planning.core.columns`.

A decision at bar t sees prices up to the close of bar t. With the fill at the next bar, the reductions are filled first
and the increases are then fitted to what those left, as live. What a bar does not trade is dropped: the next cycle
decides anew. Every cost is rounded up.
"""

from __future__ import annotations

from math import sqrt

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, SignalRows
from rebalancer.planning.core.decide import decide, refit
from rebalancer.planning.core.seams import Ints, floats, integers, rule
from rebalancer.planning.core.units import is_exact, part_of, signed, value_down, value_up
from rebalancer.research.tape import (
    ABSENT,
    BARRED,
    BORROW,
    CENT,
    CUT,
    CYCLES,
    FEES,
    FILLS,
    IMPACT,
    INTEREST,
    ORDERS,
    PLANNED,
    SAME_CLOSE,
    SPREAD,
    TRADING_DAYS,
    TURNOVER,
    UNFILLED,
    UNTRADED,
    Conditions,
    Fixed,
    History,
    Tape,
)


@rule
def simulate(tape: Tape, fixed: Fixed, numbers: Numbers, given: Conditions, cash: int) -> History:
    """Run all bars. cash: micro-dollars at the start."""
    bars, count = len(tape.day), len(fixed.divisor)
    equity, cashes, halted = integers(bars), integers(bars), integers(bars)
    equity_decided, cash_decided = integers(bars), integers(bars)
    counts, costs = integers(6), integers(5)
    held, price, sent, last = integers(count), integers(count), integers(count), integers(count)
    pending_reduce, pending_increase = integers(0), integers(0)
    reduce, increase, own, target = integers(count), integers(count), floats(count), integers(count)
    order_bar, order_name, order_phase, order_quantity, orders = (
        integers(64), integers(64), integers(64), integers(64), 0,
    )  # fmt: skip
    fill_bar, fill_name, fill_quantity, fill_cost, fills = integers(64), integers(64), integers(64), integers(64), 0
    limits = integers(len(fixed.limits))
    for g in range(len(limits)):
        limits[g] = fixed.limits[g]
    worth_before, peak, latched, orders_left = cash, cash, 0, given.orders_a_day
    for t in range(bars):
        if t == 0 or tape.day[t] != tape.day[t - 1]:
            if t > 0:
                worth_before, latched = equity[t - 1], 0
                interest, borrowed = carry(fixed, given, price, held, cash)
                cash -= interest + borrowed
                costs[INTEREST] += interest
                costs[BORROW] += borrowed
            orders_left = given.orders_a_day
            for i in range(count):
                sent[i] = 0
        # phase 0: the orders of the bar before; phase 1: those of this bar, where they fill at its close
        for now in range(2):
            if now == 1:
                for i in range(count):
                    close = int(tape.close[t, i])
                    if close > 0:
                        price[i] = close
                equity[t] = net_worth(fixed, price, held, cash)
                peak = max(peak, equity[t])
                if tape.decides[t] == 0 or equity[t] <= 0 or is_blind(t, tape, given, held):
                    pending_reduce, pending_increase = integers(0), integers(0)
                    break
                equity_decided[t], cash_decided[t] = equity[t], cash
                names = columns_at(t, tape, fixed, given, price, held, sent)
                signals = signals_at(t, tape, given, names)
                limits[0] = tape.gross[t]
                if is_lost(equity[t], max(worth_before, 0), given.daily_loss_kept_rate):
                    latched = 1
                if is_lost(equity[t], peak, given.drawdown_kept_rate):
                    latched = 1
                halted[t] = latched
                leaves = 1 if tape.leaves[t] == 1 or (latched == 1 and given.flattens == 1) else 0
                denies = 1 if leaves == 1 or latched == 1 or tape.denies[t] == 1 else 0
                funds = Funds(
                    part_of(equity[t], given.scaling_rate), buying_power(fixed, given, price, held, equity[t]), cash,
                    orders_left, denies, leaves,
                )  # fmt: skip
                decision = decide(names, signals, limits, numbers, funds)
                counts[CYCLES] += 1
                pending_reduce, pending_increase = decision.orders.reduce_order, decision.orders.increase_order
                for i in range(count):
                    reduce[i], increase[i] = decision.orders.reduce[i], decision.orders.increase[i]
                    opinion = float(tape.opinion[t, i])
                    is_there = held[i] != 0 or opinion == opinion
                    code, bar = decision.trades.code[i], decision.targets.bar[i]
                    is_ordered = reduce[i] != 0 or increase[i] != 0
                    tape.code[t, i] = code_of(is_ordered, is_there, names.tradable[i] == 1, code, bar)
                    tape.denied[t, i] = decision.orders.denied[i]
                    own[i], target[i] = decision.targets.own[i], 0
                for phase in range(2):
                    rows = pending_reduce if phase == 0 else pending_increase
                    for k in range(len(rows)):
                        if orders == len(order_bar):
                            order_bar, order_name = doubled(order_bar), doubled(order_name)
                            order_phase, order_quantity = doubled(order_phase), doubled(order_quantity)
                        i = rows[k]
                        order_bar[orders], order_name[orders], order_phase[orders] = t, i, phase
                        order_quantity[orders] = reduce[i] if phase == 0 else increase[i]
                        orders += 1
                        sent[i] += 1
                orders_left -= len(pending_reduce) + len(pending_increase)
                counts[ORDERS] = orders
                if given.fill != SAME_CLOSE:
                    break
            if len(pending_reduce) + len(pending_increase) == 0 or (now == 0 and given.fill == SAME_CLOSE):
                continue
            for i in range(count):
                last[i] = int(tape.close[t, i]) if now == 1 else int(tape.fill[t, i])
                target[i] = 0
            for k in range(len(pending_reduce)):
                i = pending_reduce[k]
                target[i] = filled_quantity(t, tape, given, i, reduce[i], last[i], counts)
            for phase in range(2):
                if phase == 1 and now == 0 and len(pending_reduce) > 0 and len(pending_increase) > 0:
                    # what the reductions really left funds the increases, at the prices they were decided at
                    funds = Funds(
                        funds.capital, buying_power(fixed, given, price, held, net_worth(fixed, price, held, cash)),
                        cash, orders_left, 0, 0,
                    )  # fmt: skip
                    found = refit(
                        names, limits, numbers, funds, own, pending_increase, increase, names.paid_buy, target
                    )
                    for i in range(count):
                        if increase[i] != found.increase[i]:
                            counts[CUT] += 1
                        increase[i] = found.increase[i]
                rows = pending_reduce if phase == 0 else pending_increase
                for k in range(len(rows)):
                    i = rows[k]
                    quantity = target[i]
                    if phase == 1:
                        quantity = filled_quantity(t, tape, given, i, increase[i], last[i], counts)
                    if quantity == 0:
                        continue
                    size, divisor = abs(quantity), fixed.divisor[i]
                    money = value_up(size, last[i], divisor) if quantity > 0 else value_down(size, last[i], divisor)
                    cost = trade_cost(t, tape, fixed, given, i, quantity, money, costs)
                    cash -= cost + (money if quantity > 0 else -money)
                    held[i] += quantity
                    counts[TURNOVER] += money
                    if fills == len(fill_bar):
                        fill_bar, fill_name = doubled(fill_bar), doubled(fill_name)
                        fill_quantity, fill_cost = doubled(fill_quantity), doubled(fill_cost)
                    fill_bar[fills], fill_name[fills], fill_quantity[fills], fill_cost[fills] = t, i, quantity, cost
                    fills += 1
            counts[FILLS] = fills
            pending_reduce, pending_increase = integers(0), integers(0)
        if given.fill == SAME_CLOSE:
            equity[t] = net_worth(fixed, price, held, cash)
        cashes[t] = cash
    return History(
        equity, cashes, equity_decided, cash_decided, order_bar[:orders], order_name[:orders], order_phase[:orders],
        order_quantity[:orders],
        fill_bar[:fills], fill_name[:fills], fill_quantity[:fills], fill_cost[:fills], counts, costs, halted,
    )  # fmt: skip


@rule
def is_lost(equity: int, before: int, kept_rate: int) -> bool:
    """Whether no more than this rate of an earlier equity is left; a negative rate is no limit."""
    return kept_rate >= 0 and equity <= part_of(before, kept_rate)


@rule
def is_blind(t: int, tape: Tape, given: Conditions, held: Ints) -> bool:
    """Whether too many of the names that are wanted or held have no price at a bar."""
    wanted, missing = 0, 0
    for i in range(len(held)):
        opinion = float(tape.opinion[t, i])
        if held[i] != 0 or opinion == opinion:
            wanted += 1
            missing += int(tape.close[t, i]) <= 0
    return float(missing) > given.unusable_most * float(wanted)


@rule
def code_of(is_ordered: bool, is_there: bool, is_tradable: bool, code: int, bar: int) -> int:
    """How a name ended in a plan."""
    if is_ordered:
        return PLANNED
    if not is_there:
        return ABSENT
    if not is_tradable:
        return UNTRADED
    return BARRED + bar if code == codes.RESTRICTED else code


@rule
def doubled(column: Ints) -> Ints:
    """A copy with twice the room."""
    wide = integers(2 * len(column))
    for k in range(len(column)):
        wide[k] = column[k]
    return wide


@rule
def net_worth(fixed: Fixed, price: Ints, held: Ints, cash: int) -> int:
    """Cash and positions; longs rounded down, shorts up."""
    total = cash
    for i in range(len(held)):
        if held[i] > 0:
            total += value_down(held[i], price[i], fixed.divisor[i])
        elif held[i] < 0:
            total -= value_up(-held[i], price[i], fixed.divisor[i])
    return total


@rule
def buying_power(fixed: Fixed, given: Conditions, price: Ints, held: Ints, equity: int) -> int:
    """What the broker lends: the multiple of equity less all positions; never negative."""
    total = part_of(max(equity, 0), given.multiplier_rate)
    for i in range(len(held)):
        if held[i] != 0:
            total -= value_up(abs(held[i]), price[i], fixed.divisor[i])
    return max(total, 0)


@rule
def carry(fixed: Fixed, given: Conditions, price: Ints, held: Ints, cash: int) -> tuple[int, int]:
    """A night's interest on borrowed money, and the fee for borrowed shares."""
    shorts = 0
    for i in range(len(held)):
        if held[i] < 0:
            shorts += value_up(-held[i], price[i], fixed.divisor[i])
    interest = part_of(max(-cash, 0), given.interest_rate)
    return interest, part_of(shorts, given.borrow_rate)


@rule
def filled_quantity(t: int, tape: Tape, given: Conditions, i: int, wanted: int, price: int, counts: Ints) -> int:
    """How much of an order a bar trades: nothing without a price, and no more than a part of its volume."""
    size = abs(wanted)
    if price <= 0:
        size = 0
    elif given.participation > 0 and int(tape.volume[t, i]) > 0:
        size = min(size, int(given.participation * float(tape.volume[t, i])))
    if size < abs(wanted):
        counts[UNFILLED] += 1
    return signed(size, wanted)


@rule
def trade_cost(
    t: int, tape: Tape, fixed: Fixed, given: Conditions, i: int, quantity: int, money: int, costs: Ints
) -> int:
    """What a fill costs beyond its price, each kind rounded up; adds it to `costs`."""
    spread, impact, fees = 0, 0, 0
    if given.half_spread_rate > 0:
        spread = part_of(money, given.half_spread_rate) + 1
    if given.impact > 0 and int(tape.volume[t, i]) > 0:
        daily = float(tape.volatility[tape.day[t], i]) / sqrt(TRADING_DAYS)
        share = float(abs(quantity)) / (float(tape.volume[t, i]) * given.bars_a_day)
        impact = int(float(money) * given.impact * daily * sqrt(share)) + 1
    if quantity < 0 and fixed.coin[i] == 0:
        if given.sale_fee_rate > 0:
            fees = (part_of(money, given.sale_fee_rate) + CENT) // CENT * CENT
        if given.share_fee_money > 0:
            fee = value_up(-quantity, given.share_fee_money, fixed.divisor[i])
            fees += min((fee + CENT - 1) // CENT * CENT, given.share_fee_most_money)
    costs[SPREAD] += spread
    costs[IMPACT] += impact
    costs[FEES] += fees
    return spread + impact + fees


@rule
def price_up(price: int, rate: int) -> int:
    """A price increased by a rate of trillionths, rounded up."""
    found = price + part_of(price, rate)
    return found if is_exact(rate, price, codes.RATE) else found + 1


@rule
def columns_at(t: int, tape: Tape, fixed: Fixed, given: Conditions, price: Ints, held: Ints, sent: Ints) -> Names:
    """The columns of the core at the close of a bar. price: the last known one of every name."""
    count = len(held)
    first, tradable, available, worst = integers(count + 1), integers(count), integers(count), integers(count)
    volatility, reserve_buy, reserve_sell = floats(count), integers(count), integers(count)
    zero, most, coin, paid = integers(count), integers(count), integers(count), integers(count)
    now, orders, cluster = integers(count), integers(count), integers(count)
    rows = 0
    for i in range(count):
        first[i] = rows
        opinion, cluster[i] = float(tape.opinion[t, i]), int(tape.cluster[tape.day[t], i])
        if int(tape.close[t, i]) > 0:
            tradable[i] = 1
            if opinion == opinion:
                rows += 1
        volatility[i] = float(tape.volatility[tape.day[t], i])
        now[i], orders[i], worst[i], available[i], paid[i] = held[i], sent[i], held[i], abs(held[i]), price[i]
        most[i] = codes.UNLIMITED
        buy, sell = given.collar_high_rate, given.collar_short_rate
        if fixed.coin[i] != 0:
            coin[i] = codes.DEAR_COIN if price[i] > fixed.dear[i] else codes.COIN
            buy, sell = given.collar_crypto_rate, given.collar_crypto_rate
        elif price[i] < fixed.split[i]:
            buy = given.collar_low_rate
        reserve_buy[i], reserve_sell[i] = price_up(price[i], buy), price_up(price[i], sell)
    first[count] = rows
    return Names(
        first, tradable, fixed.may_short, coin, zero, fixed.is_selected, fixed.sector, cluster, volatility, zero,
        zero, paid, paid, paid, reserve_buy, reserve_sell, fixed.divisor, fixed.lot_long, fixed.lot_short,
        fixed.closing_lot, now, zero, worst, available, zero, orders, most, most,
    )  # fmt: skip


@rule
def signals_at(t: int, tape: Tape, given: Conditions, names: Names) -> SignalRows:
    """The instructions in force at a bar, one row a name."""
    rows = names.first[len(names.price)]
    is_target, hold, target = integers(rows), integers(rows), floats(rows)
    score, confidence, weight = floats(rows), floats(rows), floats(rows)
    for i in range(len(names.price)):
        row = names.first[i]
        if row < names.first[i + 1]:
            opinion = float(tape.opinion[t, i])
            weight[row], is_target[row] = 1.0, given.is_target
            if given.is_target == 1:
                target[row], confidence[row] = opinion, 1.0
            else:
                score[row], confidence[row] = opinion, float(tape.confidence[t, i])
    return SignalRows(is_target, target, score, confidence, weight, hold)
