"""Stops and targets of single positions within a bar, and what they leave behind. Written like the core, and compiled
with it.

Levels are those of `planning.exit_levels`, compared as in `planning.stop_triggers`: with the low and the high of a bar,
or with its close where that is all there is. An exit trades at its level; at the open, where the price has jumped over
it; at the close, where that is all there is. Where a bar reached both, the stop counts. In a backtest of a journal the
exits are those that were recorded.
"""

from __future__ import annotations

from math import floor

from rebalancer.planning.core import codes
from rebalancer.planning.core.seams import Ints, integers, rule
from rebalancer.planning.core.units import is_exact, part_of, value_down, value_up
from rebalancer.research.ledger import trade_cost
from rebalancer.research.tape import (
    BOTH,
    CASH,
    COUNTED,
    DAY_LONG,
    EXIT_LASTS,
    EXITED,
    EXITS,
    FILLS,
    INVALID,
    NEXT_EXIT,
    ORDERS_LEFT,
    RESTING,
    STOP,
    TARGET,
    TURNOVER,
    UNSURE,
    UNTRADED,
    WAITS,
    WITHDRAWN,
    Conditions,
    Fixed,
    Rows,
    State,
    Tape,
    Waiting,
)


@rule
def refusals(t: int, tape: Tape, given: Conditions, price: Ints, exited: Ints) -> Ints:
    """Why the opinion about each name does not count at a bar, in the order of `validate_signals`; 0 where it does."""
    found, here = integers(len(price)), t - tape.first
    for i in range(len(price)):
        opinion = float(tape.opinion[here, i])
        if opinion != opinion:
            continue
        is_traded = int(tape.close[here, i]) > 0
        if given.names_exits == 1 and is_traded and opinion != 0:
            stop = int(tape.stop[here, i])
            if stop > 0 and (stop >= price[i] if opinion > 0 else stop <= price[i]):
                found[i] = INVALID
                continue
        if given.is_target == 0 and float(tape.confidence[here, i]) < given.least_confidence:
            found[i] = UNSURE
        elif not is_traded:
            found[i] = UNTRADED
        elif exited[i] > 0 and exited[i] >= int(tape.now[t]) - EXIT_LASTS and int(tape.said[here, i]) <= exited[i]:
            found[i] = EXITED
    return found


@rule
def cooling(t: int, tape: Tape, fixed: Fixed, given: Conditions, stopped: Ints) -> Ints:
    """The names in which nothing may be opened because a stop closed them recently, as `planning.cool_off`."""
    found, here = integers(len(stopped)), t - tape.first
    for i in range(len(stopped)):
        at = stopped[i]
        if at == 0 or given.cool_off < 0 or at < int(tape.now[t]) - EXIT_LASTS:
            continue
        opinion = float(tape.opinion[here, i])
        if given.is_lifted == 1 and opinion == opinion and int(tape.said[here, i]) > at:
            continue
        if given.cool_off == 0 and fixed.coin[i] == 0:
            found[i] = int(at >= int(tape.opens[t]))
        else:
            found[i] = int(int(tape.now[t]) < at + (DAY_LONG if given.cool_off == 0 else given.cool_off))
    return found


@rule
def close_at_levels(
    t: int, tape: Tape, fixed: Fixed, given: Conditions, state: State, waiting: Waiting, fills: Rows, exits: Rows
) -> None:
    """Close the positions whose stop or target the bar reached. What a name's orders still wait for is dropped; what
    its volume does not take stays, and is tried again at the next bar."""
    account, held, counts, here = state.account, state.held, state.counts, t - tape.first
    day = tape.day[t] - tape.first_day
    for i in range(len(held)):
        close = int(tape.close[here, i])
        if held[i] == 0 or state.entry[i] <= 0 or close <= 0:
            continue
        opened, low, high = close, close, close
        if given.is_ranged == 1:
            opened, low, high = int(tape.open[here, i]), int(tape.low[here, i]), int(tape.high[here, i])
        is_long, whole = held[i] > 0, fixed.divisor[i] * 1_000_000 // (fixed.split[i] // 50)
        is_resting = given.exits == RESTING and fixed.coin[i] == 0 and held[i] % whole == 0
        tick = tick_at(state.entry[i], fixed.split[i] // 50, fixed.coin[i] != 0)
        stop = level_of(state.entry[i], state.stop[i], given.stop_loss_rate, tick, not is_long)
        goal = level_of(state.entry[i], state.goal[i], given.take_profit_rate, tick, is_long)
        kind, at = STOP, 0
        if opened <= stop if is_long else opened >= stop:
            at = opened
        elif opened >= goal if is_long else opened <= goal:
            kind, at = TARGET, opened
        elif low <= stop if is_long else high >= stop:
            at = stop
            counts[BOTH] += int(high >= goal if is_long else low <= goal)
        elif high >= goal if is_long else low <= goal:
            kind, at = TARGET, goal
        if kind == STOP and at > 0 and is_resting and given.stop_limit_rate >= 0:
            limit = limit_of(stop, given.stop_limit_rate, tick, is_long)
            if at < limit if is_long else at > limit:
                at = limit if (high >= limit if is_long else low <= limit) else 0
        if at == 0:
            continue
        volume, size = int(tape.volume[here, i]) if given.participation > 0 or given.impact > 0 else 0, abs(held[i])
        if given.participation > 0 and volume > 0:
            size = min(size, max(int(given.participation * float(volume)) - filled_here(fills, counts[FILLS], t, i), 0))
        if size == 0:
            continue
        quantity = -size if is_long else size
        money = value_down(size, at, fixed.divisor[i]) if is_long else value_up(size, at, fixed.divisor[i])
        moves = float(tape.volatility[day, i])
        cost = trade_cost(given, fixed.coin[i], fixed.divisor[i], moves, volume, quantity, money, state.costs)
        account[CASH] += (money if is_long else -money) - cost
        held[i] += quantity
        counts[TURNOVER] += money
        row = counts[EXITS]
        exits.bar[row], exits.name[row], exits.quantity[row], exits.more[row] = t, i, quantity, cost
        exits.price[row], exits.kind[row] = at, kind + (0 if is_resting else COUNTED)
        counts[EXITS] += 1
        if not is_resting:
            state.sent[i] += 1
            account[ORDERS_LEFT] -= 1
        state.exited[i] = int(tape.exited[t])
        if kind == STOP:
            state.stopped[i] = int(tape.exited[t])
        if account[WAITS] == 1:
            counts[WITHDRAWN] += int(waiting.reduce[i] != 0) + int(waiting.increase[i] != 0)
            waiting.reduce[i] = waiting.increase[i] = 0
        if held[i] == 0:
            state.entry[i] = 0


@rule
def close_as_recorded(t: int, tape: Tape, fixed: Fixed, state: State, exits: Rows) -> None:
    """Close what exits of a live account closed before the cycle of a bar, at the prices that they got; at the last
    price known where nobody has said one. They cost nothing here."""
    account, held, counts, row = state.account, state.held, state.counts, state.account[NEXT_EXIT]
    while row < len(tape.exit_bar) and tape.exit_bar[row] <= t:
        i, kind, priced = tape.exit_name[row], tape.exit_kind[row], tape.exit_price[row]
        size, at = min(abs(held[i]), tape.exit_size[row]), priced if priced > 0 else state.price[i]
        state.exited[i] = tape.exit_at[row]
        if kind % COUNTED == STOP:
            state.stopped[i] = tape.exit_at[row]
        if kind >= COUNTED:
            state.sent[i] += 1
            account[ORDERS_LEFT] -= 1
        if size > 0 and at > 0:
            is_long = held[i] > 0
            quantity = -size if is_long else size
            money = value_down(size, at, fixed.divisor[i]) if is_long else value_up(size, at, fixed.divisor[i])
            account[CASH] += money if is_long else -money
            held[i] += quantity
            counts[TURNOVER] += money
            new = counts[EXITS]
            exits.bar[new], exits.name[new], exits.quantity[new], exits.more[new] = t, i, quantity, 0
            exits.price[new], exits.kind[new] = at, kind
            counts[EXITS] += 1
            if held[i] == 0:
                state.entry[i] = 0
        row += 1
    account[NEXT_EXIT] = row


@rule
def filled_here(fills: Rows, count: int, t: int, i: int) -> int:
    """How much of a name has been filled at a bar, unsigned."""
    found, row = 0, count - 1
    while row >= 0 and fills.bar[row] == t:
        if fills.name[row] == i:
            found += abs(fills.quantity[row])
        row -= 1
    return found


@rule
def entry_after(entry: int, before: int, quantity: int, price: int) -> int:
    """The average entry price after a fill, rounded to the nearest grain. before: the position, in signed base
    units."""
    after = before + quantity
    if after == 0:
        return 0
    if before == 0 or (before > 0) != (after > 0):
        return price
    if (quantity > 0) != (before > 0):
        return entry
    share = float(abs(quantity)) / float(abs(after))
    return entry + floor(float(price - entry) * share + 0.5)


@rule
def tick_at(price: int, dollar: int, is_coin: bool) -> int:
    """The price increment at a price, grains. dollar: in grains."""
    return dollar // 100 if is_coin or price >= dollar else dollar // 10_000


@rule
def level_of(entry: int, named: int, rate: int, tick: int, is_above: bool) -> int:
    """An exit price, grains: the named one, where it is on its side of the entry, else at a rate from it; rounded to
    the tick towards the entry."""
    if named > 0 and (named > entry if is_above else named < entry):
        return toward(entry, named, named, tick)
    far = part_of(entry, rate)
    rest = 0 if is_exact(rate, entry, codes.RATE) else 1
    if is_above:
        return toward(entry, entry + far, entry + far + rest, tick)
    return toward(entry, entry - far - rest, entry - far, tick)


@rule
def toward(entry: int, down: int, up: int, tick: int) -> int:
    """A price rounded to the tick toward the entry, but never to the entry, beyond it, or to zero. down, up: the price
    in whole grains, rounded both ways."""
    if down < entry:
        found = (up + tick - 1) // tick * tick
        if found >= entry:
            found = down // tick * tick
    else:
        found = down // tick * tick
        if found <= entry:
            found = (up + tick - 1) // tick * tick
    return max(found, tick)


@rule
def limit_of(stop: int, rate: int, tick: int, is_long: bool) -> int:
    """The worst price that a stop-limit order accepts, rounded away from the stop."""
    far, rest = part_of(stop, rate), 0 if is_exact(rate, stop, codes.RATE) else 1
    found = (stop - far - rest) // tick * tick if is_long else (stop + far + rest + tick - 1) // tick * tick
    return max(found, min(tick, stop))
