"""Carry out an approved plan, and nothing else: the step between planning and recording."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Snapshot
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from rebalancer.planning.approved_plan import differences_from_approved, larger_than_approved, limited_to_approved
from rebalancer.rebalance.cycle import Narrow


class NotAgreed(Exception):
    """What would be traded now differs from the approved plan; nothing was sent and the cycle was not claimed."""

    def __init__(self, differences: tuple[str, ...]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


def held_to(approved: Plan, tolerance: Decimal) -> Narrow:
    """A function that narrows the rules of a cycle to an approved plan. It raises NotAgreed with every difference."""

    def narrow(snapshot: Snapshot, fresh: Plan, rules: Rules) -> Rules:
        differences = differences_from_approved(fresh, approved, snapshot.account.id, tolerance)
        if differences:
            raise NotAgreed(differences)
        narrowed = limited_to_approved(rules, approved)
        differences = larger_than_approved(plan(snapshot, narrowed), approved)
        if differences:
            raise NotAgreed(differences)
        return narrowed

    return narrow
