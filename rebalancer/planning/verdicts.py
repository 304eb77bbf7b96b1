"""Assign every signal its verdict: first when the plan is made, and again when the orders have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import Order, Plan, Verdict
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import OrderState, Outcome
from rebalancer.core.reasons import NOTHING, ReasonCode, Reasons, because
from rebalancer.core.values import ZERO
from rebalancer.planning.validate_signals import ValidSignals


class SymbolOutcome(NamedTuple):
    """The outcome of one symbol, with its reasons."""

    outcome: Outcome
    because: Reasons


class OrderEnd(NamedTuple):
    """How one planned order ended. `message` is the broker's message or ours; `denied` is set when refitting after
    phase one denied the order."""

    client_order_id: str
    state: OrderState
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    message: Reasons = NOTHING
    denied: Outcome | None = None


def final_verdicts(plan: Plan, ends: Mapping[str, OrderEnd]) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
    """Replace every PLANNED verdict by its final outcome. Returns as many verdicts and unsignalled verdicts as planned.

    ends: by client order id; an order that is missing was not sent, because the cycle ended first.
    """

    orders: dict[str, list[Order]] = {}
    for order in plan.orders:
        orders.setdefault(order.symbol, []).append(order)

    def final(verdict: Verdict) -> Verdict:
        if verdict.outcome is not Outcome.PLANNED:
            return verdict
        ending = _ended(orders[verdict.symbol], ends)
        return Verdict(verdict.signal_id, verdict.symbol, ending.outcome, verdict.because.plus(ending.because))

    verdicts = tuple(final(v) for v in plan.verdicts)
    unsignalled = tuple(final(v) for v in plan.unsignalled)
    assert len(verdicts) == len(plan.verdicts)
    assert all(v.outcome is not Outcome.PLANNED for v in (*verdicts, *unsignalled))
    return verdicts, unsignalled


def first_verdicts(
    signals: Sequence[Signal],
    valid_signals: ValidSignals,
    endings: Mapping[str, SymbolOutcome],
    held: Mapping[str, Decimal],
) -> tuple[tuple[Verdict, ...], tuple[Verdict, ...]]:
    """One verdict per signal, in the order of the signals, and one per held symbol without a valid signal."""
    verdicts = [
        Verdict(signal.id, signal.symbol, *endings[signal.symbol]) if refusal is None else refusal
        for signal, refusal in zip(signals, valid_signals.rejected, strict=True)
    ]
    silent = tuple(
        Verdict("", symbol, *endings[symbol]) for symbol in sorted(held) if symbol not in valid_signals.signals
    )
    return tuple(verdicts), silent


def _ended(orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> SymbolOutcome:
    """The combined outcome of all orders of a symbol. An order in an unknown state outweighs everything else."""
    found = [ends[o.client_order_id] for o in orders if o.client_order_id in ends]
    states = {end.state for end in found}
    asked = sum((o.qty for o in orders), ZERO)
    filled = sum((end.filled_qty for end in found), ZERO)
    said = Reasons(reason for message in dict.fromkeys(end.message for end in found) for reason in message)
    share = because(ReasonCode.FILLED, filled=filled, asked=asked)
    if OrderState.UNKNOWN in states or OrderState.OPEN in states or OrderState.INTENDED in states:
        unknown = because(ReasonCode.END_UNKNOWN_AND, why=said) if said else because(ReasonCode.END_UNKNOWN)
        return SymbolOutcome(Outcome.UNKNOWN_AT_BROKER, share.plus(unknown))
    if filled >= asked:
        prices = [end.filled_avg_price for end in found if end.filled_avg_price is not None]
        if prices:
            share = because(ReasonCode.FILLED_AT, filled=filled, asked=asked, prices=prices)
        return SymbolOutcome(Outcome.FILLED, share)
    if said:
        share = because(ReasonCode.FILLED_AND, filled=filled, asked=asked, why=said)
    if filled > 0:
        return SymbolOutcome(Outcome.PARTLY_FILLED, share)
    if OrderState.WITHHELD in states:
        return SymbolOutcome(Outcome.WITHHELD, because(ReasonCode.WITHHELD))
    if OrderState.REFUSED in states:
        return SymbolOutcome(Outcome.REFUSED_BY_BROKER, said or because(ReasonCode.REFUSED))
    denials = [end.denied for end in found if end.denied is not None]
    if denials:
        return SymbolOutcome(denials[0], said)
    if found and states != {OrderState.NOT_SENT}:
        return SymbolOutcome(Outcome.UNFILLED, share)
    return SymbolOutcome(Outcome.NOT_SENT, said or because(ReasonCode.CYCLE_ENDED))
