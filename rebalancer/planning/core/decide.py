"""The whole step: from columns to a decision; and what is left of a plan's increases once its reductions have ended."""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Decision, Funds, Names, Numbers, Orders, SignalRows, Targets, Trades
from rebalancer.planning.core.construct import construct_targets
from rebalancer.planning.core.fund import fit_increases
from rebalancer.planning.core.phases import assign_phases, relieve
from rebalancer.planning.core.seams import Floats, Ints, integers, ranked, rule
from rebalancer.planning.core.size import size_positions
from rebalancer.planning.core.trades import compute_trades
from rebalancer.planning.core.units import part_of, value_down, value_up
from rebalancer.planning.core.usage import allowed, book, open_usage


@rule
def decide(names: Names, signals: SignalRows, limits: Ints, numbers: Numbers, funds: Funds) -> Decision:
    """Decide everything about one cycle. limits: per group, trillionths of capital."""
    opinions = size_positions(names, signals, numbers, funds)
    targets = construct_targets(names, limits, numbers, funds, opinions, len(signals.score) > 0)
    trades = compute_trades(names, numbers, funds, opinions, targets)
    return Decision(opinions, targets, trades, decide_orders(names, limits, numbers, funds, targets, trades))


@rule
def decide_orders(
    names: Names, limits: Ints, numbers: Numbers, funds: Funds, targets: Targets, trades: Trades
) -> Orders:
    """Order the trades and cut them to what may be sent."""
    count, groups = len(names.price), len(limits)
    reduce, increase, denied = integers(count), integers(count), integers(count)
    assign_phases(names, numbers, trades, targets, reduce, increase, denied)
    used, position, extra, most = integers(groups), integers(count), integers(count), allowed(limits, funds.capital)
    open_usage(names, used, position, extra)
    used_before, after, there, is_relief = integers(groups), integers(groups), integers(count), integers(count)
    for g in range(groups):
        used_before[g] = after[g] = used[g]
    for i in range(count):
        there[i] = position[i]
        if reduce[i] != 0:
            book(names, after, there, i, reduce[i])
    relieve(names, numbers, funds, targets, trades, most, after, there, extra, reduce, is_relief)

    rows, found = integers(count), 0
    for i in range(count):
        if reduce[i] != 0:
            rows[found] = i
            found += 1
    order, reduce_order, sent = ranked(rows, found, trades.urgency), integers(found), 0
    turnover, released = codes.UNLIMITED, 0
    if numbers.turnover_rate >= 0:
        turnover = part_of(funds.capital, numbers.turnover_rate)
    for k in range(found):
        i = order[k]
        if sent >= numbers.orders_at_once:
            reduce[i], denied[i] = 0, codes.AT_ONCE
            continue
        reduce_order[sent] = i
        sent += 1
        book(names, used, position, i, reduce[i])
        if reduce[i] < 0:
            released += value_down(-reduce[i], trades.paid[i], names.divisor[i])
        if numbers.turnover_rate >= 0:
            turnover -= value_up(abs(reduce[i]), trades.cost[i], names.divisor[i])

    opening, asked, cap, detail = 0, integers(count), integers(count), integers(count)
    for i in range(count):
        asked[i], cap[i] = increase[i], codes.NO_CAP
        if increase[i] != 0 and (denied[i] != 0 or funds.denies == 1):
            increase[i] = 0  # when the closing half of a flip is denied, so is the opening half
            if denied[i] == 0:
                denied[i] = codes.HALTED
        if increase[i] != 0:
            rows[opening] = i
            opening += 1
    order, increase_order = ranked(rows, opening, trades.urgency), integers(opening)
    kept = fit_increases(
        names, numbers, funds, targets.own, most, used, position, extra, order, opening, asked, trades.paid,
        trades.cost, reduce, released, turnover, sent, False, increase, increase_order, denied, cap, detail,
    )  # fmt: skip
    return Orders(
        reduce, increase, reduce_order[:sent], increase_order[:kept], is_relief, asked, denied, cap, detail,
        used_before, used, position, extra,
    )  # fmt: skip


@rule
def refit(
    names: Names, limits: Ints, numbers: Numbers, funds: Funds, own: Floats, rows: Ints, asked: Ints, paid: Ints,
    filled: Ints,
) -> Orders:  # fmt: skip
    """Fit planned increases into what exists once the reductions have ended.

    rows: the names in the order of sending. asked: signed base units a name. paid: the price at which each order is
    valued. filled: signed base units that phase one really traded.
    """
    count, groups = len(names.price), len(limits)
    used, position, extra, most = integers(groups), integers(count), integers(count), allowed(limits, funds.capital)
    open_usage(names, used, position, extra)
    used_before = integers(groups)
    cost, increase, denied, cap, detail = (
        integers(count), integers(count), integers(count), integers(count), integers(count),
    )  # fmt: skip
    for i in range(count):
        cap[i], cost[i] = codes.NO_CAP, max(names.price[i], paid[i])
        if filled[i] != 0:
            book(names, used, position, i, filled[i])
    for g in range(groups):
        used_before[g] = used[g]
    increase_order = integers(len(rows))
    kept = fit_increases(
        names, numbers, funds, own, most, used, position, extra, rows, len(rows), asked, paid, cost, filled, 0,
        codes.UNLIMITED, 0, True, increase, increase_order, denied, cap, detail,
    )  # fmt: skip
    return Orders(
        filled, increase, increase_order[:0], increase_order[:kept], integers(count), asked, denied, cap, detail,
        used_before, used, position, extra,
    )  # fmt: skip
