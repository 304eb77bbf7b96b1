"""Split the proposals into two phases and order each.

Phase `reduce` takes positions toward zero, phase `increase` away from it; classified by effect, not by side. Within a
phase the largest drift comes first. Where a cap is exceeded, reductions that the no-trade band or the minimum would
suppress are made as well, largest drift first, until the cap holds again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Phase
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, shares_away_from_zero, shares_toward_zero
from rebalancer.planning.lot_sizes import largest_trade, most_closed, most_shares
from tests.planning.oracle.compute_trades import TradeProposal
from tests.planning.oracle.limit_book import LimitBook


class Trade(NamedTuple):
    """Signed shares of one symbol to trade in one phase; `drift` (fraction of capital) is its priority; `paid` is the
    price at which its order is valued, USD per share; `cap` names the cap that reduced it, if any."""

    symbol: str
    phase: Phase
    qty: Decimal
    price: Decimal
    paid: Decimal
    lot: Decimal
    drift: float
    because: Reasons
    cap: str = ""

    @property
    def cost(self) -> Decimal:
        """The USD per share counted against caps and budgets: never less than its value."""
        return max(self.price, self.paid)


class Denial(NamedTuple):
    """Why a limit denies a trade; `cap` is the name of the cap if the limit is one."""

    outcome: Outcome
    because: Reasons
    cap: str = ""


class Phases(NamedTuple):
    """The trades in the order of sending, and the denials by symbol."""

    reduce: tuple[Trade, ...]
    increase: tuple[Trade, ...]
    denied: Mapping[str, Denial]


def assign_phases(
    proposals: Sequence[TradeProposal], available: Mapping[str, Decimal], limits: LimitBook, rules: Rules
) -> Phases:
    """The ordered trades of all proposals. Reductions are limited to the shares not reserved by other orders; size
    limits only spread them over cycles."""
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
                reduce.append(_trade(proposal, "reduce", closing, _in_parts(proposal, proposal.reduce, closing)))
            else:
                denied[proposal.symbol] = _not_free(proposal, available)
        if proposal.increase != 0 and closing == proposal.reduce:
            opening = proposal.increase
            if abs(opening) * _cost(proposal) > largest:
                opening = _clip(opening, most_shares(_cost(proposal), proposal.lot, largest))
            if abs(opening) * proposal.paid >= smallest:
                increase.append(_trade(proposal, "increase", opening, _in_parts(proposal, proposal.increase, opening)))
            elif opening == proposal.increase:
                why = because(ReasonCode.OPENING_BELOW_MINIMUM, value=abs(opening) * proposal.paid, limit=smallest)
                denied[proposal.symbol] = Denial(Outcome.HELD_BELOW_MINIMUM, why)
            else:
                denied[proposal.symbol] = _too_dear(proposal, rules)
    relief = _relief(proposals, available, limits.copy_with((t.symbol, t.qty) for t in reduce), rules)
    return Phases(tuple(sorted([*reduce, *relief], key=_priority)), tuple(sorted(increase, key=_priority)), denied)


def _relief(
    proposals: Sequence[TradeProposal], available: Mapping[str, Decimal], limits: LimitBook, rules: Rules
) -> list[Trade]:
    """Reductions suppressed by band or minimum that an exceeded cap requires anyway; each at least the minimum trade,
    where lots, the largest trade and the free shares allow that much.
    Names with an entry restriction may be reduced; names that are frozen, or that have an order of ours on the other
    side, may not."""
    found: list[Trade] = []
    candidates = [
        m
        for m in proposals
        if m.reduce != 0 and m.hold is not None and not m.hold.startswith("FROZEN_") and m.pending * m.reduce >= 0
    ]
    for proposal in sorted(candidates, key=lambda m: (-abs(m.drift), m.symbol)):
        if not limits.exceeded(proposal.symbol):
            continue
        least = shares_away_from_zero(rules.position_sizing.min_trade_size / proposal.paid, proposal.lot)
        asked = min(max(abs(proposal.reduce), least), abs(proposal.held))
        qty = _closing(proposal, asked.copy_sign(proposal.reduce), available, rules)
        if qty == 0 or abs(qty) * proposal.paid < proposal.order_min:
            continue
        now = limits.weight(proposal.symbol)
        limits.trade(proposal.symbol, qty)
        why = because(ReasonCode.CAP_EXCEEDED, now=now, target=limits.weight(proposal.symbol))
        found.append(_trade(proposal, "reduce", qty, why))
    return found


def _trade(proposal: TradeProposal, name: Phase, qty: Decimal, why: Reasons) -> Trade:
    return Trade(proposal.symbol, name, qty, proposal.price, proposal.paid, proposal.lot, abs(proposal.drift), why)


def _cost(proposal: TradeProposal) -> Decimal:
    return max(proposal.price, proposal.paid)


def _priority(trade: Trade) -> tuple[float, str]:
    return -trade.drift, trade.symbol


def _clip(qty: Decimal, most: Decimal) -> Decimal:
    return max(min(qty, most), -most)


def _closing(proposal: TradeProposal, asked: Decimal, available: Mapping[str, Decimal], rules: Rules) -> Decimal:
    """The signed shares of a reduction to trade now: as many as the largest trade allows, at least one part, in whole
    lots. The full reduction is left unrounded: it is in whole lots already, or is the odd-lot remainder."""
    free = abs(available.get(proposal.symbol, ZERO))
    clipped = _clip(asked, min(most_closed(_cost(proposal), proposal.part, rules), free))
    if proposal.closing_lot is None or clipped == proposal.reduce:
        return clipped
    return shares_toward_zero(clipped, proposal.closing_lot)


def _in_parts(proposal: TradeProposal, asked: Decimal, kept: Decimal) -> Reasons:
    """The reasons for a trade of which only a part may be made now."""
    if kept == asked:
        return proposal.because
    return proposal.because.plus(because(ReasonCode.PART_NOW, now=abs(kept), all=abs(asked)))


def _not_free(proposal: TradeProposal, available: Mapping[str, Decimal]) -> Denial:
    free, held = abs(available.get(proposal.symbol, ZERO)), abs(proposal.held)
    why = because(ReasonCode.SHARES_RESERVED)
    if free > 0:
        why = because(ReasonCode.FEW_SHARES_FREE, free=free, held=held, lot=proposal.part)
    return Denial(Outcome.DENIED_NOT_AVAILABLE, why)


def _too_dear(proposal: TradeProposal, rules: Rules) -> Denial:
    return Denial(
        Outcome.DENIED_ORDER_VALUE,
        because(
            ReasonCode.NO_WHOLE_LOTS,
            price=_cost(proposal),
            smallest=rules.position_sizing.min_trade_size,
            largest=largest_trade(rules),
        ),
    )
