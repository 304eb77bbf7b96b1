"""Split the moves into two phases and put each in order.

Phase `reduce` takes positions toward zero, phase `increase` away from it; classified by effect, not by side. Within a
phase the largest drift comes first. Where a cap is exceeded, a reduction that the no-trade band or the minimum would
have held back is called upon as well, largest drift first, until the cap holds again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Phase
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, shares_away_from_zero, shares_toward_zero, text_of
from rebalancer.planning.compute_trades import TradeProposal
from rebalancer.planning.headroom import Headroom
from rebalancer.planning.lot_sizes import largest_trade, most_closed, most_shares


class Trade(NamedTuple):
    """Signed shares of one symbol to trade in one phase; `drift` (fraction of capital) is its priority; `paid` is what
    its order's value is told at, USD per share; `cap_weights` names the cap that made it smaller, if one did."""

    symbol: str
    phase: Phase
    qty: Decimal
    price: Decimal
    paid: Decimal
    lot: Decimal
    drift: float
    because: str
    cap: str = ""

    @property
    def cost(self) -> Decimal:
        """What one share counts for under caps and budgets, USD: never less than it is worth."""
        return max(self.price, self.paid)


class Denial(NamedTuple):
    """A trade that a limit forbids; `cap_weights` is the name of the cap when it is one."""

    outcome: Outcome
    because: str
    cap: str = ""


class Phases(NamedTuple):
    """Trades in the order in which they are sent, and the symbols of which nothing can be traded."""

    reduce: tuple[Trade, ...]
    increase: tuple[Trade, ...]
    denied: Mapping[str, Denial]


def assign_phases(
    proposals: Sequence[TradeProposal], available: Mapping[str, Decimal], headroom: Headroom, rules: Rules
) -> Phases:
    """Order the trades of all moves. Reductions are limited to the shares that no other order holds; a limit of size
    only spreads them over cycles."""
    reduce: list[Trade] = []
    increase: list[Trade] = []
    denied: dict[str, Denial] = {}
    largest, smallest = largest_trade(rules), rules.position_sizing.min_trade_size
    for proposal in proposals:
        if proposal.hold is not None:
            continue
        closing = _closing(proposal, proposal.reduce, available, rules)
        if proposal.reduce != 0:
            if closing != 0:
                reduce.append(
                    _trade(proposal, "reduce", closing, proposal.because + _cut_text(proposal.reduce, closing))
                )
            else:
                denied[proposal.symbol] = Denial(Outcome.DENIED_NOT_AVAILABLE, "other orders hold all of its shares")
        if proposal.increase != 0 and closing == proposal.reduce:
            opening = proposal.increase
            if abs(opening) * _cost(proposal) > largest:
                opening = _clip(opening, most_shares(_cost(proposal), proposal.lot, largest))
            if abs(opening) * proposal.paid >= smallest:
                increase.append(
                    _trade(proposal, "increase", opening, proposal.because + _cut_text(proposal.increase, opening))
                )
            else:
                denied[proposal.symbol] = _too_dear(proposal, rules)
    relief = _relief(proposals, available, headroom.copy_with((t.symbol, t.qty) for t in reduce), rules)
    return Phases(tuple(sorted([*reduce, *relief], key=_priority)), tuple(sorted(increase, key=_priority)), denied)


def _relief(
    proposals: Sequence[TradeProposal], available: Mapping[str, Decimal], headroom: Headroom, rules: Rules
) -> list[Trade]:
    """Reductions held back by band or minimum that a cap needs all the same; each at least the minimum trade. What may
    not be opened, for whatever reason, may still be reduced; what is frozen, or has an order of ours on the other side,
    may not."""
    found: list[Trade] = []
    candidates = [
        m
        for m in proposals
        if m.reduce != 0 and m.hold is not None and not m.hold.startswith("FROZEN_") and m.pending * m.reduce >= 0
    ]
    for proposal in sorted(candidates, key=lambda m: (-abs(m.drift), m.symbol)):
        if not headroom.exceeded(proposal.symbol):
            continue
        least = shares_away_from_zero(rules.position_sizing.min_trade_size / proposal.paid, proposal.lot)
        asked = min(max(abs(proposal.reduce), least), abs(proposal.held))
        qty = _closing(proposal, asked.copy_sign(proposal.reduce), available, rules)
        if abs(qty) * proposal.paid < rules.position_sizing.min_trade_size:
            continue
        headroom.trade(proposal.symbol, qty)
        found.append(_trade(proposal, "reduce", qty, "a cap is exceeded: reduced although the drift is small"))
    return found


def _trade(proposal: TradeProposal, name: Phase, qty: Decimal, because: str) -> Trade:
    return Trade(proposal.symbol, name, qty, proposal.price, proposal.paid, proposal.lot, abs(proposal.drift), because)


def _cost(proposal: TradeProposal) -> Decimal:
    return max(proposal.price, proposal.paid)


def _priority(trade: Trade) -> tuple[float, str]:
    return -trade.drift, trade.symbol


def _clip(qty: Decimal, most: Decimal) -> Decimal:
    return max(min(qty, most), -most)


def _closing(proposal: TradeProposal, asked: Decimal, available: Mapping[str, Decimal], rules: Rules) -> Decimal:
    """What of these signed shares goes now: one part at least, else as many whole lots as the largest trade allows. All
    that the move asks for is whole lots already, or the rest beside them."""
    free = abs(available.get(proposal.symbol, ZERO))
    clipped = _clip(asked, min(most_closed(_cost(proposal), proposal.part, rules), free))
    if proposal.closing_lot is None or clipped == proposal.reduce:
        return clipped
    return shares_toward_zero(clipped, proposal.closing_lot)


def _cut_text(asked: Decimal, kept: Decimal) -> str:
    return "" if kept == asked else f"; {text_of(abs(kept))} of {text_of(abs(asked))} shares now, the rest later"


def _too_dear(proposal: TradeProposal, rules: Rules) -> Denial:
    most = largest_trade(rules)
    return Denial(
        Outcome.DENIED_ORDER_VALUE,
        f"no whole number of lots at ${_cost(proposal):,.2f} is between the smallest trade of "
        f"${rules.position_sizing.min_trade_size:,.2f} and the largest of ${most:,.2f}",
    )
