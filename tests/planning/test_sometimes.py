"""Everything that can happen does happen in the random worlds; otherwise the laws say less than they seem to."""

from __future__ import annotations

from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.planning import plan
from tests.planning.worlds import limited, world

SEEDS = range(1_300)
ONLY_AFTER_SENDING = {
    Outcome.DENIED_RESTRICTED,
    Outcome.WITHHELD,
    Outcome.REFUSED_BY_BROKER,
    Outcome.UNFILLED,
    Outcome.PARTLY_FILLED,
    Outcome.FILLED,
    Outcome.UNKNOWN_AT_BROKER,
}
NOT_FROM_A_PLAN = {
    CycleOutcome.HALTED_PLAN,  # only from a fault of the planner, which `test_core_units` plants
    CycleOutcome.SKIPPED_OVERLAPPING,
    CycleOutcome.HALTED_BROKER_DOWN,
    CycleOutcome.ABANDONED,
    CycleOutcome.MISSED,
}
LIMITS = {
    *("gross", "long", "short", "daily_loss", "drawdown", "orders_per_execution", "orders_per_day"),
    *("position", "positions"),
    *(f"correlated_positions:{name}" for name in ("g1", "g10", "g2", "g3", "unknown")),
    *(f"sector:{name}" for name in ("Energy", "Health", "Technology", "Tech", "Utilities", "unknown")),
    *(f"correlation:{name}" for name in ("g1", "g10", "g2", "g3", "unknown")),
}
OWN_CAPS = {
    "position_sizing.max_position_size",
    "risk_management.max_position_risk",
    "risk_management.max_trade_heat",
}


def test_every_outcome_and_every_binding_limit_occurs() -> None:
    outcomes: set[Outcome] = set()
    cycles: set[CycleOutcome] = set()
    limits: set[str] = set()
    own_caps: set[str] = set()
    orders: set[tuple[str, str, str, bool]] = set()
    for seed in SEEDS:
        decided = plan(*(limited(world(seed), seed) if seed % 2 else world(seed)))
        outcomes |= {v.outcome for v in (*decided.verdicts, *decided.unsignalled)}
        cycles.add(decided.outcome)
        limits |= {"position" if u.name.startswith("position:") else u.name for u in decided.limits if u.binds}
        own_caps |= {t.own_cap_name for t in decided.targets if t.raw_weight and abs(t.weight) == t.own_cap}
        orders |= {(o.phase, o.side, o.type, o.qty == o.qty.to_integral_value()) for o in decided.orders}
    assert outcomes == set(Outcome) - ONLY_AFTER_SENDING
    assert cycles == set(CycleOutcome) - NOT_FROM_A_PLAN
    assert limits == LIMITS
    assert own_caps == OWN_CAPS
    assert len(orders) == 2 * 2 * 2 * 2 - 4  # nothing is sold short, and no short bought back, in fractions
