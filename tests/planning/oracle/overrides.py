"""Apply the user's `selection`: symbols, side and maximum shares.

A selection never prevents closing all positions (flat by the close, or after a loss). Its turnover limit is applied
together with buying power and order limits (see `fit_to_buying_power`), and never prevents a reduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.rules import Selection
from rebalancer.core.values import ZERO
from tests.planning.oracle.compute_trades import TradeProposal


def apply_overrides(proposals: Sequence[TradeProposal], selection: Selection) -> tuple[TradeProposal, ...]:
    """The proposals without what is excluded. If the closing half of a flip is excluded, so is the opening half."""
    return tuple(_selected(proposal, selection) for proposal in proposals)


def _selected(proposal: TradeProposal, selection: Selection) -> TradeProposal:
    if selection.only and proposal.symbol not in selection.only:
        return _left_out(proposal, because(ReasonCode.NOT_IN_ONLY))
    if proposal.symbol in selection.exclude:
        return _left_out(proposal, because(ReasonCode.EXCLUDED))
    unwanted = {"both": ZERO, "buy": Decimal(-1), "sell": Decimal(1)}[selection.side]
    reduce = ZERO if proposal.reduce * unwanted > 0 else proposal.reduce
    increase = ZERO if proposal.increase * unwanted > 0 or reduce != proposal.reduce else proposal.increase
    if reduce == increase == 0 != unwanted:
        return _left_out(proposal, because(ReasonCode.SIDE_EXCLUDED, side=selection.side))
    if selection.at_most:
        most = selection.at_most.get(proposal.symbol, {})
        closing, opening = most.get("reduce", ZERO), most.get("increase", ZERO)
        reduce, increase = _within(reduce, closing), _within(increase, opening)
        if reduce == increase == 0:
            return _left_out(proposal, because(ReasonCode.NOT_IN_AT_MOST))
    return proposal._replace(reduce=reduce, increase=increase)


def _within(shares: Decimal, most: Decimal) -> Decimal:
    """Signed shares, limited to an unsigned maximum."""
    return max(-most, min(most, shares))


def _left_out(proposal: TradeProposal, why: Reasons) -> TradeProposal:
    """The proposal with no trades, not even those that an exceeded cap would otherwise require."""
    if proposal.hold is not None:
        return proposal._replace(reduce=ZERO, increase=ZERO)
    return proposal._replace(reduce=ZERO, increase=ZERO, hold=Outcome.HELD_LEFT_OUT, because=why)
