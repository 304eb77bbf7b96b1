"""`execution.schedule: drift 0.05`: the whole book trades when a name is more than that off its target, else nothing
does, and every signal says why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.codec import read_plan, rules_text, seal, snapshot_text, stored_rules, stored_snapshot
from rebalancer.core.outcomes import CONSTRAINING, CycleOutcome, Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from tests.planning.examples import HUGE, book, rules, signal, snapshot
from tests.planning.worlds import limited, world

ORDINARY = {CycleOutcome.COMPLETED, CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED}


def drifting(drift: str, **more: Any) -> Rules:
    return rules(execution={"schedule": f"drift {drift}"}, position_sizing=HUGE, **more)


def said(facts: Any, by: Rules) -> tuple[Any, ...]:
    decided = plan(facts, by)
    verdicts = {v.symbol: (str(v.outcome), str(v.because)) for v in (*decided.verdicts, *decided.unsignalled)}
    return decided.outcome, str(decided.because), [(o.symbol, o.side, str(o.qty)) for o in decided.orders], verdicts


# Capital is 100 000 USD and every share costs 50 USD: a target of 10 % is 200 shares, 20 shares are 1 pp.
FACTS = snapshot("AB", signals=(signal("A"), signal("B")), positions=book(A="140", B="180"))
WAITS = "no name is more than {} pp off its target (execution.schedule), the farthest 3.00 pp"
HELD = "{} pp off its target; nothing is traded while no name is more than {} pp off (execution.schedule)"


def test_within_the_drift_nothing_trades_and_each_name_says_why() -> None:
    assert said(FACTS, drifting("0.05")) == (
        CycleOutcome.HOLDING,
        WAITS.format("5.00"),
        [],
        {
            "A": ("HELD_WITHIN_BAND", HELD.format("3.00", "5.00")),
            "B": ("HELD_WITHIN_BAND", HELD.format("1.00", "5.00")),
        },
    )


def test_beyond_it_the_whole_book_trades() -> None:
    orders = [("A", "buy", "60"), ("B", "buy", "20")]
    why = "2 orders: 0 reduce, 2 increase"
    verdicts = said(FACTS, rules(position_sizing=HUGE))[3]
    due = f"A is 3.00 pp off its target, more than the 2.90 pp of execution.schedule; {why}"
    assert said(FACTS, drifting("0.029")) == (CycleOutcome.COMPLETED, due, orders, verdicts)
    assert said(FACTS, rules(position_sizing=HUGE))[:3] == (CycleOutcome.COMPLETED, why, orders)


def test_exactly_at_the_drift_is_not_beyond_it() -> None:
    assert said(FACTS, drifting("0.03"))[:3] == (CycleOutcome.HOLDING, WAITS.format("3.00"), [])


def test_a_name_that_is_left_out_or_frozen_does_not_count() -> None:
    waits = "no name is more than 2.00 pp off its target (execution.schedule), the farthest 1.00 pp"
    assert said(FACTS, drifting("0.02", selection={"exclude": ["A"]}))[:3] == (CycleOutcome.HOLDING, waits, [])
    frozen = FACTS._replace(expected_positions={"A": Decimal(10), "B": Decimal(180)})
    assert said(frozen, drifting("0.02"))[:3] == (CycleOutcome.HOLDING, waits, [])


def test_a_book_that_is_constrained_but_within_the_drift_is_holding() -> None:
    by = rules(execution={"schedule": "drift 0.05", "max_orders_per_execution": 0})
    decided = plan(FACTS, by)
    assert (decided.outcome, decided.constrained) == (CycleOutcome.HOLDING, None)
    assert {v.outcome for v in decided.verdicts} == {Outcome.HELD_WITHIN_BAND}
    assert plan(
        FACTS, by.model_copy(update={"execution": by.execution.model_copy(update={"schedule": None})})
    ).constrained


def test_a_loss_halt_and_a_liquidation_are_not_held_back() -> None:
    lost = FACTS._replace(account=FACTS.account._replace(last_equity=Decimal(60_000)), positions=book(A="220"))
    lost = lost._replace(signals=(signal("A"),))
    for breach in ("reduce_only", "flatten"):
        decided = plan(lost, drifting("0.5", risk_management={"on_breach": breach}))
        assert decided.outcome is CycleOutcome.HALTED_DAILY_LOSS
        assert [order.side for order in decided.orders] == ["sell"]
    late = FACTS._replace(session=FACTS.session._replace(close=FACTS.as_of.replace(hour=15, minute=49)))
    flat = plan(late, drifting("0.5", risk_management={"flat_by_minutes_before_close": 10}))
    assert [(order.symbol, order.side) for order in flat.orders] == [("B", "sell"), ("A", "sell")]


@pytest.mark.parametrize("drift", ["0.0001", "0.02", "0.05", "0.3"])
def test_in_any_world_it_is_the_plan_without_the_schedule_or_no_order_at_all(drift: str) -> None:
    met = set()
    for seed in range(150):
        facts, plain = limited(world(seed), seed) if seed % 4 == 0 else world(seed, calm=seed % 3 != 0)
        execution = plain.execution.model_copy(update={"schedule": f"drift {drift}"})
        by = plain.model_copy(update={"execution": execution})
        usual, decided = plan(facts, plain), plan(facts, by)
        assert [(v.signal_id, v.symbol) for v in decided.verdicts] == [(v.signal_id, v.symbol) for v in usual.verdicts]
        assert (decided.targets, decided.capital, decided.frozen) == (usual.targets, usual.capital, usual.frozen)
        if decided.orders != usual.orders:
            assert usual.outcome in ORDINARY
            assert (decided.outcome, decided.orders, decided.constrained) == (CycleOutcome.HOLDING, (), None)
            left = {*CONSTRAINING, Outcome.PLANNED}
            assert not left & {v.outcome for v in (*decided.verdicts, *decided.unsignalled)}
            assert all(use.after == use.before for use in decided.limits)
        met.add((decided.orders == usual.orders, bool(usual.orders)))
        text, told = snapshot_text(facts), rules_text(by)
        sealed = seal(decided, text, told)
        again = plan(stored_snapshot(text), Rules.model_validate(stored_rules(told)))
        assert seal(again, text, told).to_json() == sealed.to_json()
        assert read_plan(sealed.to_json()).outcome == decided.outcome
    assert (False, True) in met or drift == "0.0001"
    assert (True, True) in met


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 20))
def test_the_largest_distance_alone_decides(a: int, b: int, points: int) -> None:
    shares = {name: str(qty) for name, qty in (("A", a), ("B", b)) if qty}
    facts = snapshot("AB", signals=(signal("A"), signal("B")), positions=book(**shares))
    decided = plan(facts, drifting(f"{points / 100:.2f}"))
    usual = plan(facts, rules(position_sizing=HUGE))
    off = max(abs(200 - a), abs(200 - b))  # shares; 20 are one percentage point
    assert (decided.orders == usual.orders) is (off > 20 * points or not usual.orders)
