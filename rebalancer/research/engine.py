"""The loop over history: at every bar the numeric core decides, and its orders fill at this bar's close or at the next.

    begin      the state before the first bar
    advance    the bars from one to another; it may stop after any bar and go on from the state that it returns

Written like the core: scalar loops, compiled where the extra `fast` is installed (`research.compiled` copies this text
beside the core's), and the same bits without it. Money is in micro-dollars, prices in the grains of each name,
quantities in base units, as in `planning.core.columns`.

A decision at bar t sees prices up to the close of bar t. With the fill at the next bar, the reductions are filled first
and the increases are then fitted to what those left, as live. What a bar does not trade is dropped: the next cycle
decides anew.
"""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Decision, Funds, Numbers
from rebalancer.planning.core.decide import decide, refit
from rebalancer.planning.core.seams import Ints, floats, integers, rule
from rebalancer.planning.core.size import gross_limit
from rebalancer.planning.core.units import part_of, value_down, value_up
from rebalancer.research.bar_columns import (
    code_of,
    columns_at,
    cycles_needed,
    is_blind,
    is_wanted,
    signals_at,
    waits_for_drift,
)
from rebalancer.research.ledger import apply_actions, buying_power, carry, filled_quantity, net_worth, trade_cost
from rebalancer.research.position_exits import close_as_recorded, close_at_levels, cooling, entry_after, refusals
from rebalancer.research.tape import (
    BARRED,
    BORROW,
    CAPITAL,
    CASH,
    COUNTS,
    CUT,
    CYCLES,
    EVER,
    EXITS,
    FILLS,
    FLAT,
    INTEREST,
    LATCHED,
    NO_EXITS,
    ORDERS,
    ORDERS_LEFT,
    PEAK,
    PLACES,
    RECORDED,
    SAME_CLOSE,
    TURNOVER,
    UNFILLED,
    WAITS,
    WORTH_BEFORE,
    Conditions,
    Fixed,
    Rows,
    State,
    Tape,
    Waiting,
)


@rule
def begin(tape: Tape, fixed: Fixed, given: Conditions, cash: int) -> State:
    """The state before the first bar. cash: micro-dollars."""
    bars, count = len(tape.day), len(fixed.divisor)
    account, held, price, sent = integers(PLACES), integers(count), integers(count), integers(count)
    none = integers(count)
    account[CASH] = account[WORTH_BEFORE] = account[PEAK] = cash
    account[ORDERS_LEFT] = given.orders_a_day
    limits = integers(len(fixed.limits))
    for g in range(len(limits)):
        limits[g] = fixed.limits[g]
    waiting = Waiting(
        columns_at(0, tape, fixed, given, price, held, sent, none, none), limits, floats(count), integers(count),
        integers(count), integers(0), integers(0),
    )  # fmt: skip
    return State(
        account, held, price, integers(count), sent, integers(count), integers(count), integers(count), integers(count),
        waiting, new_rows(64), new_rows(64), new_rows(len(tape.action_bar)), new_rows(8), integers(bars),
        integers(bars), integers(bars), integers(bars), integers(bars), integers(bars), integers(COUNTS), integers(5),
    )  # fmt: skip


@rule
def advance(
    tape: Tape, fixed: Fixed, numbers: Numbers, given: Conditions, state: State, first: int, last: int
) -> State:
    """Run the bars from `first` to the one before `last`."""
    account, held, price, waiting = state.account, state.held, state.price, state.waiting
    orders, fills, exits, counts, count = state.orders, state.fills, state.exits, state.counts, len(state.held)
    for t in range(first, last):
        if t == 0 or tape.day[t] != tape.day[t - 1]:
            begin_day(t, fixed, given, state)
        apply_actions(t, tape, fixed, state, waiting)
        fills = with_space(fills, counts[FILLS], 2 * count)
        if given.exits != NO_EXITS:
            exits = with_space(exits, counts[EXITS], count + len(tape.exit_bar))
            if given.exits == RECORDED:
                close_as_recorded(t, tape, fixed, state, exits)
            elif given.is_exit_first == 1:
                close_at_levels(t, tape, fixed, given, state, waiting, fills, exits)
        if account[WAITS] == 1:
            fill(t, tape, fixed, numbers, given, waiting, state, fills)
        if given.exits != NO_EXITS and given.exits != RECORDED and given.is_exit_first == 0:
            close_at_levels(t, tape, fixed, given, state, waiting, fills, exits)
        for i in range(count):
            close = int(tape.close[t - tape.first, i])
            if close > 0:
                price[i] = close
        equity = int(tape.worth[t])
        if equity == 0:
            equity = net_worth(fixed, price, held, account[CASH])
        state.equity[t] = equity
        account[PEAK] = max(account[PEAK], equity)
        if tape.decides[t] == 1 and equity > 0 and not is_blind(t, tape, given, held):
            orders = with_space(orders, counts[ORDERS], 2 * count)
            waiting = decide_at(t, tape, fixed, numbers, given, state, waiting.limits, equity)
            send(t, tape, given, waiting, state, orders)
            if given.fill == SAME_CLOSE:
                fill(t, tape, fixed, numbers, given, waiting, state, fills)
                if int(tape.worth[t]) == 0:
                    state.equity[t] = net_worth(fixed, price, held, account[CASH])
        state.cash[t] = account[CASH]
    return State(
        account, held, price, state.entry, state.sent, state.exited, state.stopped, state.stop, state.goal, waiting,
        orders, fills, state.events, exits, state.equity, state.cash, state.equity_decided, state.cash_decided,
        state.halted, state.carried, counts, state.costs,
    )  # fmt: skip


@rule
def begin_day(t: int, fixed: Fixed, given: Conditions, state: State) -> None:
    """What the night has cost, and the counts of a new day."""
    account, sent = state.account, state.sent
    if t > 0:
        account[WORTH_BEFORE], account[LATCHED] = state.equity[t - 1], 0
        interest, borrowed = carry(fixed, given, state.price, state.held, account[CASH])
        account[CASH] -= interest + borrowed
        state.costs[INTEREST] += interest
        state.costs[BORROW] += borrowed
        state.carried[t] = interest + borrowed
    account[ORDERS_LEFT] = given.orders_a_day
    for i in range(len(sent)):
        sent[i] = 0


@rule
def decide_at(
    t: int, tape: Tape, fixed: Fixed, numbers: Numbers, given: Conditions, state: State, limits: Ints, equity: int
) -> Waiting:
    """The decision at the close of a bar, and how each name ended."""
    account, held, price = state.account, state.held, state.price
    state.equity_decided[t], state.cash_decided[t] = equity, account[CASH]
    refused, cools = refusals(t, tape, given, price, state.exited), cooling(t, tape, fixed, given, state.stopped)
    names = columns_at(t, tape, fixed, given, price, held, state.sent, refused, cools)
    signals = signals_at(t, tape, given, names)
    if is_lost(equity, max(account[WORTH_BEFORE], 0), given.daily_loss_kept_rate):
        account[LATCHED] = 1
    if is_lost(equity, account[PEAK], given.drawdown_kept_rate):
        account[LATCHED] = 1
    latched = account[LATCHED]
    state.halted[t] = latched
    spare = int(tape.spare[t]) - (cycles_needed(fixed, numbers, price, held) if tape.spare[t] < EVER else 0)
    leaves = 1 if spare < 0 or (latched == 1 and given.flattens == 1) else 0
    denies = 1 if leaves == 1 or latched == 1 or spare < 1 else 0
    account[CAPITAL] = part_of(equity, given.scaling_rate)
    funds = Funds(
        account[CAPITAL], buying_power(fixed, given, price, held, equity), account[CASH], account[ORDERS_LEFT], denies,
        leaves, int(tape.confidence_rate[t]), int(tape.gross_rate[t]),
    )  # fmt: skip
    limits[0] = gross_limit(signals, names.first, int(tape.gross[t]), numbers, funds)
    decision = decide(names, signals, limits, numbers, funds)
    state.counts[CYCLES] += 1
    found = decision.orders
    is_held_back = False
    if given.drift_most >= 0 and leaves == 0 and latched == 0:
        is_held_back = waits_for_drift(names, decision, given.drift_most)
    record_codes(t, tape, held, names.tradable, refused, decision, denies == 1 and latched == 0, is_held_back)
    if is_held_back:
        return Waiting(
            names, limits, decision.targets.own, found.reduce, found.increase, found.reduce_order[:0],
            found.increase_order[:0],
        )  # fmt: skip
    return Waiting(
        names, limits, decision.targets.own, found.reduce, found.increase, found.reduce_order, found.increase_order
    )


@rule
def record_codes(
    t: int, tape: Tape, held: Ints, tradable: Ints, refused: Ints, decision: Decision, is_flat: bool, is_held_back: bool
) -> None:
    """How each name ended in the plan of a bar. is_flat: increases are denied for the close alone. is_held_back: the
    schedule waits for a larger drift."""
    here = t - tape.first
    for i in range(len(held)):
        opinion = float(tape.opinion[here, i])
        is_there = held[i] != 0 or opinion == opinion
        is_ordered = decision.orders.reduce[i] != 0 or decision.orders.increase[i] != 0
        bar, denied = decision.targets.bar[i], decision.orders.denied[i]
        why = refused[i] if held[i] == 0 else 0
        code = code_of(is_ordered, is_there, tradable[i] == 1, why, decision.trades.code[i], bar)
        if is_flat and code == BARRED + codes.LEAVING:
            code += FLAT
        if is_flat and denied == codes.HALTED:
            denied += FLAT
        if is_held_back and is_wanted(code, denied):
            code, denied = codes.WITHIN_BAND, 0
        tape.code[here, i], tape.denied[here, i] = code, denied


@rule
def send(t: int, tape: Tape, given: Conditions, waiting: Waiting, state: State, orders: Rows) -> None:
    """Record the orders of a cycle, and the exits that the signals behind its increases name; the orders wait for their
    fills."""
    account, counts, here = state.account, state.counts, t - tape.first
    for phase in range(2):
        rows = waiting.reduce_order if phase == 0 else waiting.increase_order
        for k in range(len(rows)):
            i, row = rows[k], counts[ORDERS]
            orders.bar[row], orders.name[row], orders.more[row] = t, i, phase
            orders.quantity[row] = waiting.reduce[i] if phase == 0 else waiting.increase[i]
            counts[ORDERS] += 1
            state.sent[i] += 1
            if phase == 1 and given.names_exits == 1:
                opinion = float(tape.opinion[here, i])
                if opinion > 0 if waiting.increase[i] > 0 else opinion < 0:
                    state.stop[i], state.goal[i] = int(tape.stop[here, i]), int(tape.goal[here, i])
    total = len(waiting.reduce_order) + len(waiting.increase_order)
    account[ORDERS_LEFT] -= total
    account[WAITS] = 1 if total > 0 else 0


@rule
def fill(
    t: int, tape: Tape, fixed: Fixed, numbers: Numbers, given: Conditions, waiting: Waiting, state: State, fills: Rows
) -> None:
    """Fill what waits at bar t, the reductions first; what they really left funds the increases, at the prices of the
    decision."""
    account, held, price, counts = state.account, state.held, state.price, state.counts
    count, here, day = len(held), t - tape.first, tape.day[t] - tape.first_day
    at, filled, volume = integers(count), integers(count), integers(count)
    for i in range(count):
        at[i], volume[i] = int(tape.fill[here, i]), int(tape.volume[here, i])
    names, paid = waiting.names, integers(count)
    for i in range(count):
        is_buy = waiting.increase[i] > 0 or waiting.reduce[i] > 0
        paid[i] = names.paid_sell[i] if waiting.increase[i] < 0 else names.paid_buy[i]
        is_beyond = at[i] > names.paid_buy[i] if is_buy else at[i] < names.paid_sell[i]
        if given.limit_rate >= 0 and is_beyond:
            at[i] = 0  # a limit order does not fill there
    for k in range(len(waiting.reduce_order)):
        i = waiting.reduce_order[k]
        filled[i] = filled_quantity(given.participation, volume[i], waiting.reduce[i], at[i])
        counts[UNFILLED] += filled[i] != waiting.reduce[i]
    for phase in range(2):
        rows = waiting.reduce_order if phase == 0 else waiting.increase_order
        if phase == 1 and given.fill != SAME_CLOSE and len(waiting.reduce_order) > 0 and len(rows) > 0:
            power = buying_power(fixed, given, price, held, net_worth(fixed, price, held, account[CASH]))
            funds = Funds(account[CAPITAL], power, account[CASH], account[ORDERS_LEFT], 0, 0, codes.RATE, codes.RATE)
            found = refit(
                names, waiting.limits, numbers, funds, waiting.own, rows, waiting.increase, paid, filled,
            )  # fmt: skip
            for i in range(count):
                if waiting.increase[i] != found.increase[i]:
                    counts[CUT] += 1
                waiting.increase[i] = found.increase[i]
        for k in range(len(rows)):
            i = rows[k]
            quantity = filled[i]
            if phase == 1:
                quantity = filled_quantity(given.participation, volume[i], waiting.increase[i], at[i])
                counts[UNFILLED] += quantity != waiting.increase[i]
            if quantity == 0:
                continue
            size, divisor = abs(quantity), fixed.divisor[i]
            money = value_up(size, at[i], divisor) if quantity > 0 else value_down(size, at[i], divisor)
            moves = float(tape.volatility[day, i])
            cost = trade_cost(given, fixed.coin[i], divisor, moves, volume[i], quantity, money, state.costs)
            account[CASH] -= cost + (money if quantity > 0 else -money)
            state.entry[i] = entry_after(state.entry[i], held[i], quantity, at[i])
            held[i] += quantity
            counts[TURNOVER] += money
            row = counts[FILLS]
            fills.bar[row], fills.name[row], fills.quantity[row], fills.more[row] = t, i, quantity, cost
            fills.price[row] = state.entry[i]
            counts[FILLS] += 1
    account[WAITS] = 0


@rule
def is_lost(equity: int, before: int, kept_rate: int) -> bool:
    """Whether no more than this rate of an earlier equity is left; a negative rate is no limit."""
    return kept_rate >= 0 and equity <= part_of(before, kept_rate)


@rule
def new_rows(size: int) -> Rows:
    """Space for so many rows."""
    return Rows(integers(size), integers(size), integers(size), integers(size), integers(size), integers(size))


@rule
def with_space(rows: Rows, used: int, more: int) -> Rows:
    """The rows, with space for so many more."""
    if used + more <= len(rows.bar):
        return rows
    size = 2 * (used + more)
    return Rows(
        longer(rows.bar, size), longer(rows.name, size), longer(rows.quantity, size), longer(rows.more, size),
        longer(rows.price, size), longer(rows.kind, size),
    )  # fmt: skip


@rule
def longer(column: Ints, size: int) -> Ints:
    """A copy with more space."""
    found = integers(size)
    for k in range(len(column)):
        found[k] = column[k]
    return found
