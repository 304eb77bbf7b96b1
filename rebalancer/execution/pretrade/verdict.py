"""All checks in their order, and the single result that they give.

    guards      apply to every order: form, kill switch, stop of the process, throttle, intent, session, overselling,
                the runaway count
    ceilings    apply to orders that open or enlarge a position; one that reduces passes them all

The first refusal counts. Pure: everything that is needed is in the case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rebalancer.execution.pretrade import ceilings, guards
from rebalancer.execution.pretrade.case import Case, Refusal

Check = Callable[[Case], Refusal | None]
# Cheap and absolute checks first: an order that is stopped anyway needs no message about its size. The throttle comes
# after every other check that stops an order, so that orders which would not be sent anyway cannot trip it.
GUARDS: Final[tuple[Check, ...]] = (
    guards.form,
    guards.kill_switch,
    guards.process_stopping,
    guards.throttle_latched,
    guards.intent,
    guards.session,
    guards.only_closing,
    guards.never_oversell,
    guards.orders_per_minute,
)
CEILINGS: Final[tuple[Check, ...]] = (
    ceilings.orders_per_day,
    ceilings.orders_per_symbol,
    ceilings.orders_per_execution,
    ceilings.duplicate,
    ceilings.fresh_quote,
    ceilings.price_move,
    ceilings.order_quantity,
    ceilings.order_value,
    ceilings.position_size,
    ceilings.total_exposure,
)


def refuse(case: Case) -> Refusal | None:
    """Why this order may not be sent; None when it may."""
    for check in GUARDS:
        if (refusal := check(case)) is not None:
            return refusal
    if case.reduces:
        return None
    return next((refusal for check in CEILINGS if (refusal := check(case)) is not None), None)
