"""The whole step: from columns to a decision; and what is left of a plan's increases once its reductions have ended."""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import (
    Cuts,
    Decision,
    Funds,
    Names,
    Numbers,
    Orders,
    SignalRows,
    Targets,
    Trades,
    Usage,
)
from rebalancer.planning.core.construct import construct_targets
from rebalancer.planning.core.fund import fit_increases
from rebalancer.planning.core.phases import assign_phases, relieve
from rebalancer.planning.core.seams import Floats, Ints, integers, ranked, rule
from rebalancer.planning.core.size import size_positions
from rebalancer.planning.core.trades import compute_trades
from rebalancer.planning.core.units import part_of, value_down, value_up
from rebalancer.planning.core.usage import book, copied, open_usage


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
    count = len(names.price)
    reduce, is_relief = integers(count), integers(count)
    cuts = Cuts(integers(count), integers(count), integers(count), integers(count), integers(count))
    assign_phases(names, numbers, trades, targets, reduce, cuts.increase, cuts.denied)
    usage = open_usage(names, limits, funds.capital)
    used_before = copied(usage.used)
    after = Usage(usage.most, copied(usage.used), copied(usage.position), usage.extra)
    for i in range(count):
        if reduce[i] != 0:
            book(names, after, i, reduce[i])
    relieve(names, numbers, funds, targets, trades, after, reduce, is_relief)

    rows, found = integers(count), 0
    for i in range(count):
        if reduce[i] != 0:
            rows[found] = i
            found += 1
    order, reduce_order, sent = ranked(rows, found, trades.urgency), integers(found), 0
    turnover, released = codes.UNLIMITED, 0
    if numbers.turnover_rate >= 0:
        turnover = part_of(funds.capital, numbers.turnover_rate)
    for i in order:
        if sent >= numbers.orders_at_once:
            reduce[i], cuts.denied[i] = 0, codes.AT_ONCE
            continue
        reduce_order[sent] = i
        sent += 1
        book(names, usage, i, reduce[i])
        if reduce[i] < 0:
            released += value_down(-reduce[i], trades.paid[i], names.divisor[i])
        if numbers.turnover_rate >= 0:
            turnover -= value_up(abs(reduce[i]), trades.cost[i], names.divisor[i])

    opening = 0
    for i in range(count):
        cuts.asked[i], cuts.cap[i] = cuts.increase[i], codes.NO_CAP
        if cuts.increase[i] != 0 and (cuts.denied[i] != 0 or funds.denies == 1):
            cuts.increase[i] = 0  # when the closing half of a flip is denied, so is the opening half
            if cuts.denied[i] == 0:
                cuts.denied[i] = codes.HALTED
        if cuts.increase[i] != 0:
            rows[opening] = i
            opening += 1
    order = ranked(rows, opening, trades.urgency)
    increase_order = fit_increases(
        names, numbers, funds, targets.own, usage, order, trades.paid, trades.cost, reduce, released, turnover, sent,
        False, cuts,
    )  # fmt: skip
    return orders_of(reduce, reduce_order[:sent], increase_order, is_relief, cuts, used_before, usage)


@rule
def orders_of(
    reduce: Ints, reduce_order: Ints, increase_order: Ints, is_relief: Ints, cuts: Cuts, used_before: Ints, usage: Usage
) -> Orders:
    """Put the orders together. used_before: what was used before any of them; usage: with all of them."""
    return Orders(
        reduce=reduce,
        increase=cuts.increase,
        reduce_order=reduce_order,
        increase_order=increase_order,
        is_relief=is_relief,
        asked=cuts.asked,
        denied=cuts.denied,
        cap=cuts.cap,
        detail=cuts.detail,
        used_before=used_before,
        used_after=usage.used,
        position=usage.position,
        extra=usage.extra,
    )


@rule
def refit(
    names: Names, limits: Ints, numbers: Numbers, funds: Funds, own: Floats, rows: Ints, asked: Ints, paid: Ints,
    filled: Ints,
) -> Orders:  # fmt: skip
    """Fit planned increases into what exists once the reductions have ended.

    rows: the names in the order of sending. asked: signed base units a name. paid: the price at which each order is
    valued. filled: signed base units that phase one really traded.
    """
    count = len(names.price)
    usage, cost = open_usage(names, limits, funds.capital), integers(count)
    cuts = Cuts(asked, integers(count), integers(count), integers(count), integers(count))
    for i in range(count):
        cuts.cap[i], cost[i] = codes.NO_CAP, max(names.price[i], paid[i])
        if filled[i] != 0:
            book(names, usage, i, filled[i])
    used_before = copied(usage.used)
    increase_order = fit_increases(
        names, numbers, funds, own, usage, rows, paid, cost, filled, 0, codes.UNLIMITED, 0, True, cuts
    )
    return orders_of(filled, increase_order[:0], increase_order, integers(count), cuts, used_before, usage)
