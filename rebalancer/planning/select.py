"""Leave alone what a person has left out: `selection` names symbols, a side, a turnover, and most shares.

A selection never stands in the way of leaving every position (flat by the close, or after a loss). Its turnover is
counted where money and orders are (see `fund`), and never stands in the way of a reduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Selection
from rebalancer.core.values import ZERO
from rebalancer.planning.diff import Move


def select(moves: Sequence[Move], wish: Selection) -> tuple[Move, ...]:
    """The same moves, without what is not wanted. A flip whose closing half is not wanted is not opened either."""
    return tuple(_selected(move, wish) for move in moves)


def _selected(move: Move, wish: Selection) -> Move:
    if wish.only and move.symbol not in wish.only:
        return _left_out(move, "not among those of selection.only")
    if move.symbol in wish.exclude:
        return _left_out(move, "left out by selection.exclude")
    unwanted = {"both": ZERO, "buy": Decimal(-1), "sell": Decimal(1)}[wish.side]
    reduce = ZERO if move.reduce * unwanted > 0 else move.reduce
    increase = ZERO if move.increase * unwanted > 0 or reduce != move.reduce else move.increase
    if reduce == increase == 0 != unwanted:
        return _left_out(move, f"selection.side allows only to {wish.side}")
    if wish.at_most:
        most = wish.at_most.get(move.symbol, {})
        closing, opening = most.get("reduce", ZERO), most.get("increase", ZERO)
        reduce, increase = _within(reduce, closing), _within(increase, opening)
        if reduce == increase == 0:
            return _left_out(move, "not among those of selection.at_most")
    return move._replace(reduce=reduce, increase=increase)


def _within(shares: Decimal, most: Decimal) -> Decimal:
    """Signed shares, cut to an unsigned most."""
    return max(-most, min(most, shares))


def _left_out(move: Move, because: str) -> Move:
    """Nothing of it, and nothing either when a cap calls for what the band held back."""
    if move.hold is not None:
        return move._replace(reduce=ZERO, increase=ZERO)
    return move._replace(reduce=ZERO, increase=ZERO, hold=Outcome.HELD_LEFT_OUT, because=because)
