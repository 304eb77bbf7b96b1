"""Carry out a plan that a person has agreed to, and nothing else: the step between deciding and recording."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Snapshot
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from rebalancer.planning.approved_plan import differences_from_approved, larger_than_approved, limited_to_approved
from rebalancer.rebalance.cycle import Narrow


class NotAgreed(Exception):
    """What would be traded now is not what was agreed; nothing was sent and the cycle was not claimed."""

    def __init__(self, differences: tuple[str, ...]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


def held_to(approved: Plan, tolerance: Decimal) -> Narrow:
    """The rules of a cycle, narrowed to an agreed plan. What it gives raises NotAgreed with every difference."""

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
