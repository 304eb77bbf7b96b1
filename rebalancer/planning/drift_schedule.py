"""Keep the book as it is while no name is far enough off its target: `execution.schedule: drift 0.05`.

The whole plan is made first, so that the distances are known; then either all of it stands or none of it. Frozen names
and names that the selection leaves out do not count: trading could not bring them nearer. A halt that allows only
reductions, and a liquidation, are not held back.
"""

from __future__ import annotations

from typing import Final

from rebalancer.core.decisions import DUST, Plan, Target, Verdict
from rebalancer.core.outcomes import CONSTRAINING, CycleOutcome, Outcome
from rebalancer.core.reasons import ReasonCode, because
from rebalancer.core.rules import Rules

ORDINARY: Final = frozenset({CycleOutcome.COMPLETED, CycleOutcome.CONSTRAINED})
WANTED: Final = frozenset({Outcome.PLANNED, *CONSTRAINING})


def hold_within_drift(decided: Plan, rules: Rules) -> Plan:
    """The plan itself when the schedule has no drift or a name is more than that off its target; else a plan that is
    HOLDING, without orders, in which every wanted trade is HELD_WITHIN_BAND with the reason."""
    most = rules.execution.timing.drift
    if most is None or decided.outcome not in ORDINARY:
        return decided
    everyone = (*decided.verdicts, *decided.unsignalled)
    left_out = {one.symbol for one in everyone if one.outcome is Outcome.HELD_LEFT_OUT} | set(decided.frozen)
    counted = [target for target in decided.targets if target.symbol not in left_out]
    farthest = max(counted, key=lambda target: abs(target.drift), default=None)
    off = 0.0 if farthest is None else abs(farthest.drift)
    if farthest is not None and off > most * (1 + DUST):
        why = because(ReasonCode.DRIFT_DUE, symbol=farthest.symbol, drift=off, limit=most)
        return decided._replace(because=why.plus(decided.because))
    return decided._replace(
        outcome=CycleOutcome.HOLDING,
        because=because(ReasonCode.DRIFT_NOT_DUE, drift=off, limit=most),
        orders=(),
        verdicts=tuple(_held(one, decided.targets, most) for one in decided.verdicts),
        unsignalled=tuple(_held(one, decided.targets, most) for one in decided.unsignalled),
        limits=tuple(use._replace(after=use.before) for use in decided.limits),
        constrained=None,
    )


def _held(verdict: Verdict, targets: tuple[Target, ...], most: float) -> Verdict:
    if verdict.outcome not in WANTED:
        return verdict
    drift = next((abs(target.drift) for target in targets if target.symbol == verdict.symbol), 0.0)
    why = because(ReasonCode.WITHIN_DRIFT, drift=drift, limit=most)
    return verdict._replace(outcome=Outcome.HELD_WITHIN_BAND, because=why)
