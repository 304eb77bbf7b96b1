"""Fills and what they cost, what the account is worth, what it may borrow. Written like the core, and compiled with it.

Every cost is rounded up.
"""

from __future__ import annotations

from math import sqrt

from rebalancer.planning.core.seams import Ints, rule
from rebalancer.planning.core.units import part_of, signed, value_down, value_up
from rebalancer.research.tape import (
    CASH,
    CENT,
    DROPPED,
    EVENTS,
    FEES,
    IMPACT,
    NEXT_ACTION,
    SPREAD,
    TRADING_DAYS,
    WAITS,
    Conditions,
    Fixed,
    State,
    Tape,
    Waiting,
)


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
def apply_actions(t: int, tape: Tape, fixed: Fixed, state: State, waiting: Waiting) -> None:
    """The corporate actions of a bar, before its fills. Positions and their prices are scaled; cash is paid to longs
    and taken from shorts, also for the part of a base unit that a split leaves; the orders that wait are dropped."""
    account, counts, rows = state.account, state.counts, state.events
    while account[NEXT_ACTION] < len(tape.action_bar) and int(tape.action_bar[account[NEXT_ACTION]]) == t:
        k = account[NEXT_ACTION]
        account[NEXT_ACTION] += 1
        i, new, old = int(tape.action_name[k]), int(tape.action_new[k]), int(tape.action_old[k])
        before, cash, divisor = state.held[i], int(tape.action_cash[k]), fixed.divisor[i]
        size = abs(before)
        after, rest = size // old * new + size % old * new // old, size % old * new % old
        if new != old:
            if new > 0:
                state.price[i] = max(state.price[i] * old // new, 1) if state.price[i] > 0 else 0
                state.entry[i] = max(state.entry[i] * old // new, 1) if state.entry[i] > 0 else 0
            for phase in range(2):
                column = waiting.reduce if phase == 0 else waiting.increase
                if account[WAITS] == 1 and column[i] != 0:
                    column[i] = 0
                    counts[DROPPED] += 1
        if before == 0:
            continue
        money = value_down(size, cash, divisor) + rest * state.price[i] // (old * divisor)
        if before < 0:
            money = -value_up(size, cash, divisor) - (rest * state.price[i] + old * divisor - 1) // (old * divisor)
        row = counts[EVENTS]
        rows.bar[row], rows.name[row], rows.more[row] = t, k, money
        rows.quantity[row] = signed(after, before) - before
        counts[EVENTS] += 1
        state.held[i] = signed(after, before)
        if after == 0:
            state.entry[i] = 0
        rows.price[row] = state.entry[i]
        account[CASH] += money


@rule
def filled_quantity(participation: float, volume: int, wanted: int, price: int) -> int:
    """How much of an order a bar trades: nothing without a price, and no more than a part of its volume."""
    size = abs(wanted)
    if price <= 0:
        size = 0
    elif participation > 0 and volume > 0:
        size = min(size, int(participation * float(volume)))
    return signed(size, wanted)


@rule
def trade_cost(
    given: Conditions, coin: int, divisor: int, volatility: float, volume: int, quantity: int, money: int, costs: Ints
) -> int:
    """What a fill costs beyond its price, each kind rounded up; adds it to `costs`. It takes numbers and no columns:
    handing over a column costs more than the rest."""
    spread, impact, fees = 0, 0, 0
    if given.half_spread_rate > 0:
        spread = part_of(money, given.half_spread_rate) + 1
    if given.impact > 0 and volume > 0:
        daily = volatility / sqrt(TRADING_DAYS)
        share = float(abs(quantity)) / (float(volume) * given.bars_a_day)
        impact = int(float(money) * given.impact * daily * sqrt(share)) + 1
    if quantity < 0 and coin == 0:
        if given.sale_fee_rate > 0:
            fees = (part_of(money, given.sale_fee_rate) + CENT) // CENT * CENT
        if given.share_fee_money > 0:
            fee = value_up(-quantity, given.share_fee_money, divisor)
            fees += min((fee + CENT - 1) // CENT * CENT, given.share_fee_most_money)
    costs[SPREAD] += spread
    costs[IMPACT] += impact
    costs[FEES] += fees
    return spread + impact + fees
