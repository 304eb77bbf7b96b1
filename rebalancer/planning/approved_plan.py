"""Check a fresh plan against the one a person approved: the same trades, at about the same sizes and prices.

If they differ, nothing may be sent. If they agree, `selection.at_most` makes the approved quantities part of the rules,
so that no order is larger than approved and the stored rules reproduce the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from rebalancer.core.decisions import Order, Phase, Plan
from rebalancer.core.rules import Rules
from rebalancer.core.values import Side, text_of
from rebalancer.planning.build_order import LEAD, order_id

QTY_TOLERANCE: Final = Decimal("0.02")  # fraction of the approved quantity
PRICE_PART: Final = Decimal("0.5")  # price tolerance as a fraction of the quantity tolerance: 1 % for 2 %

_Key = tuple[str, Phase, Side]


def differences_from_approved(
    fresh: Plan, approved: Plan, account_id: str, tolerance: Decimal = QTY_TOLERANCE
) -> tuple[str, ...]:
    """How a fresh plan differs from the approved one, one sentence each; empty when it may be carried out.

    tolerance: fraction of the approved quantity; prices may differ by `PRICE_PART` of it.
    """
    if any(not _made_for(order, approved.cycle_id, account_id) for order in approved.orders):
        return ("the plan was made for another account, or its file was changed",)
    theirs, ours = _by_key(approved), _by_key(fresh)
    if len(theirs) != len(approved.orders) or any(order.qty <= 0 or order.price <= 0 for order in approved.orders):
        return ("the agreed plan has an order twice, or one without a quantity or a price",)
    said: list[str] = []
    for key in sorted(theirs.keys() | ours.keys()):
        before, now = theirs.get(key), ours.get(key)
        name = f"{key[0]}: {key[2]} ({key[1]})"
        if now is None:
            assert before is not None
            said.append(f"{name} {text_of(before.qty)} was agreed and is not planned now{_why(fresh)}")
        elif before is None:
            said.append(f"{name} {text_of(now.qty)} is planned now and was not agreed")
        else:
            if abs(now.qty - before.qty) > tolerance * before.qty:
                said.append(f"{name} {text_of(before.qty)} was agreed, now {text_of(now.qty)}")
            if abs(now.price - before.price) > tolerance * PRICE_PART * before.price:
                said.append(f"{name} at {text_of(before.price)} was agreed, now {text_of(now.price)}")
    return tuple(said)


def limited_to_approved(rules: Rules, approved: Plan) -> Rules:
    """The rules, restricted so that no order is larger than approved and no other symbol is traded."""
    most: dict[str, dict[Phase, Decimal]] = {}
    for order in approved.orders:
        most.setdefault(order.symbol, {})[order.phase] = order.qty
    return rules.model_copy(update={"selection": rules.selection.model_copy(update={"at_most": most})})


def larger_than_approved(narrowed: Plan, approved: Plan) -> tuple[str, ...]:
    """Orders of a plan that are larger than approved, or not approved at all, one sentence each."""
    theirs: Mapping[_Key, Order] = _by_key(approved)
    said = []
    for key, order in sorted(_by_key(narrowed).items()):
        if key not in theirs or order.qty > theirs[key].qty:
            said.append(f"{key[0]}: {key[2]} ({key[1]}) {text_of(order.qty)} cannot be held to the agreed quantity")
    return tuple(said)


def _by_key(plan: Plan) -> dict[_Key, Order]:
    return {(order.symbol, order.phase, order.side): order for order in plan.orders}


def _made_for(order: Order, cycle_id: str, account_id: str) -> bool:
    """Whether the order's id is the one computed from this account, cycle, phase and symbol."""
    names = (order.symbol, LEAD)
    return order.client_order_id in {order_id(account_id, cycle_id, order.phase, name, 1) for name in names}


def _why(plan: Plan) -> str:
    return f" ({plan.outcome}: {plan.because})" if plan.outcome.startswith("HALTED") else ""
