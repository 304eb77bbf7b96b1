"""One final outcome out of the verdicts that many cycles give on the same signal.

A signal is read again in every cycle until it is too old, replaced or withdrawn, and each cycle gives a verdict. Of
these the one that matters most is kept: what was traded before what was sent, what was sent before what was only
considered, what was considered before what a selection left out, and anything before "too old" and "replaced", which
end every signal sooner or later. Among equals the latest is kept, except that a repetition changes nothing. So an
outcome can improve and is never taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.outcomes import OrderState, Outcome

PENDING: Final = "PENDING"  # the outcome of a receipt that no cycle has decided on
NOT_DECIDED: Final = "no cycle has decided on it yet"

_CONSIDERED: Final = 3
_WEIGHT: Final[Mapping[str, int]] = {
    Outcome.FILLED: 7,
    Outcome.PARTLY_FILLED: 6,
    Outcome.UNKNOWN_AT_BROKER: 5,
    Outcome.UNFILLED: 4,
    Outcome.REFUSED_BY_BROKER: 4,
    Outcome.HELD_LEFT_OUT: 2,  # such as a run for one symbol says of every other
    Outcome.REJECTED_STALE: 1,
    Outcome.REJECTED_SUPERSEDED: 1,
    PENDING: 0,
}

EXECUTED: Final[tuple[str, ...]] = (Outcome.FILLED, Outcome.PARTLY_FILLED)
REVISED: Final[tuple[str, ...]] = (
    Outcome.UNKNOWN_AT_BROKER,
    Outcome.UNFILLED,
    Outcome.REFUSED_BY_BROKER,
    Outcome.PARTLY_FILLED,
    Outcome.NOT_SENT,
)


class OrderFilled(NamedTuple):
    """What is known of one order: shares asked for and filled."""

    state: OrderState
    qty: Decimal
    filled_qty: Decimal


def weight(outcome: str) -> int:
    """How much an outcome matters; larger matters more."""
    return _WEIGHT.get(outcome, _CONSIDERED)


def replaces(new: str, old: str) -> bool:
    """Whether the verdict of a later cycle becomes the outcome in place of an earlier one."""
    return new != old and weight(new) >= weight(old)


def is_admitted(outcome: str) -> bool:
    """Whether planning considered the signal: it is decided and was not rejected."""
    return outcome != PENDING and not outcome.startswith("REJECTED")


def outcome_of_orders(orders: Sequence[OrderFilled]) -> Outcome:
    """The outcome of a signal from all orders of its cycle, as `planning.verdicts` gives it when they end."""
    if any(not order.state.is_final for order in orders):
        return Outcome.UNKNOWN_AT_BROKER
    filled, asked = sum(o.filled_qty for o in orders), sum(o.qty for o in orders)
    if filled >= asked:
        return Outcome.FILLED
    if filled > 0:
        return Outcome.PARTLY_FILLED
    states = {order.state for order in orders}
    if OrderState.REFUSED in states:
        return Outcome.REFUSED_BY_BROKER
    return Outcome.NOT_SENT if states == {OrderState.NOT_SENT} else Outcome.UNFILLED
