"""Two phases: reductions first, then increases, each with the largest drift first.

Reductions are limited to the shares that no other order reserves; size limits only spread them over cycles. Where a
cap is exceeded, reductions that the no-trade band or the minimum would suppress are made as well, largest drift first,
until the cap holds again.
"""

from __future__ import annotations

from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, Names, Numbers, Targets, Trades, Usage
from rebalancer.planning.core.seams import Ints, integers, ranked, rule
from rebalancer.planning.core.trades import closing_lot_of, lot_of, order_min_of, part_lot_of
from rebalancer.planning.core.units import affordable, needed, signed, value_down, value_up
from rebalancer.planning.core.usage import book, exceeded_cap


@rule
def assign_phases(
    names: Names, numbers: Numbers, trades: Trades, targets: Targets, reduce: Ints, increase: Ints, denied: Ints
) -> None:
    """Cut each trade to what one order may have, and say what denies it. Fills in the three columns."""
    for i in range(len(reduce)):
        if trades.code[i] != codes.TRADE or names.tradable[i] == 0:
            continue
        asked, opening, divisor = trades.reduce[i], trades.increase[i], names.divisor[i]
        if asked != 0:
            reduce[i] = closable(
                numbers.largest_trade_money, trades.cost[i], divisor, closing_lot_of(names, i), part_lot_of(names, i),
                names.available[i], asked, asked,
            )  # fmt: skip
            if reduce[i] == 0:
                denied[i] = codes.NOT_FREE
        if opening == 0 or reduce[i] != asked:
            continue
        size = abs(opening)
        if value_up(size, trades.cost[i], divisor) > numbers.largest_trade_money:
            lot = lot_of(names, i, targets.weight[i] >= 0)
            size = min(size, affordable(numbers.largest_trade_money, trades.cost[i], divisor, lot))
        if value_down(size, trades.paid[i], divisor) >= numbers.min_trade_money:
            increase[i] = signed(size, opening)
        elif size == abs(opening):
            denied[i] = codes.OPENING_BELOW_MINIMUM
        else:
            denied[i] = codes.NO_WHOLE_LOTS


@rule
def closable(largest: int, cost: int, divisor: int, lot: int, part: int, available: int, whole: int, asked: int) -> int:
    """The signed part of a reduction to trade now: as much as the largest trade allows, at least one part, in whole
    lots. `whole`, the full reduction, is left unrounded: it is in whole lots already, or is the odd-lot remainder."""
    most = max(affordable(largest, cost, divisor, part), part)
    size = min(abs(asked), most, available)
    if lot != 0 and size != abs(whole):
        size = size // lot * lot
    return signed(size, asked)


@rule
def relieve(
    names: Names,
    numbers: Numbers,
    funds: Funds,
    targets: Targets,
    trades: Trades,
    usage: Usage,
    reduce: Ints,
    is_relief: Ints,
) -> None:
    """Reductions that an exceeded cap requires although band or minimum suppress them; each at least the minimum trade,
    where lots, the largest trade and the free shares allow that much. `usage` stands after all other reductions, and is
    changed in place."""
    count = len(reduce)
    rows, found = integers(count), 0
    for i in range(count):
        suppressed = trades.code[i] != codes.TRADE and trades.code[i] != codes.OTHER_SIDE and trades.reduce[i] != 0
        opposes = (names.pending[i] > 0 and trades.reduce[i] < 0) or (names.pending[i] < 0 and trades.reduce[i] > 0)
        if suppressed and not opposes:
            rows[found] = i
            found += 1
    order = ranked(rows, found, trades.urgency)
    for k in range(found):
        i = order[k]
        if exceeded_cap(names, usage, targets.own, funds.capital, i) == codes.NO_CAP:
            continue
        paid, divisor, wanted = trades.paid[i], names.divisor[i], trades.reduce[i]
        least = needed(numbers.min_trade_money, paid, divisor, lot_of(names, i, targets.weight[i] >= 0))
        size = min(max(abs(wanted), least), abs(names.held[i]))
        closing = closable(
            numbers.largest_trade_money, trades.cost[i], divisor, closing_lot_of(names, i), part_lot_of(names, i),
            names.available[i], wanted, signed(size, wanted),
        )  # fmt: skip
        order_min = order_min_of(names.coin[i], numbers, wanted > 0)
        if closing == 0 or value_down(abs(closing), paid, divisor) < order_min:
            continue
        book(names, usage, i, closing)
        reduce[i], is_relief[i] = closing, 1
