"""The high-water mark: the drawdown is measured from the highest equity that any cycle has seen, however it ended."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.outcomes import CycleOutcome
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.rebalance.hands import MONDAY, pay_in, until
from tests.support.faults import Crash
from tests.support.rig import Rig, rules

STRICT = rules(risk_management__max_drawdown=0.1)


def times(rig: Rig, factor: str) -> dict[str, Any]:
    """The account's equity is this many times the real one, until the first order is sent."""

    def changed(real: Any) -> Any:
        now = real()
        return now if rig.posts else now._replace(equity=now.equity * Decimal(factor))

    return {"account": changed}


def test_the_equity_that_a_cycle_began_with_counts(settled: MakeRig) -> None:
    rig = settled()
    top = rig.run(NEXT, rules(), faults=times(rig, "1.2")).snapshot.account.equity
    after = rig.run(NEXT, STRICT)
    assert (after.snapshot.account.peak_equity, after.outcome) == (top, CycleOutcome.HALTED_DRAWDOWN)


def test_and_that_of_a_cycle_whose_process_died(settled: MakeRig) -> None:
    rig = settled()
    top = rig.run(BASE, rules()).snapshot.account.equity * Decimal("1.2")

    def dies(*_: object) -> None:
        raise Crash

    with pytest.raises(Crash):
        rig.run(NEXT, rules(), faults=times(rig, "1.2") | {"submit": dies})
    after = rig.run(NEXT, STRICT)
    assert after.outcome is CycleOutcome.HALTED_DRAWDOWN
    assert abs(after.snapshot.account.peak_equity - top) < 1000, "but for what the market did in between"


def test_a_reading_in_doubt_does_not(settled: MakeRig) -> None:
    """Equity that contradicts cash and positions halts the cycle; it must not be the top of all later drawdowns."""
    rig = settled()
    before = rig.run(BASE, rules()).snapshot.account
    assert rig.run(BASE, rules(), faults=times(rig, "9")).outcome is CycleOutcome.HALTED_UNRECONCILED
    after = rig.run(BASE, STRICT)
    assert after.outcome is CycleOutcome.HOLDING
    assert after.snapshot.account.peak_equity < before.peak_equity * Decimal("1.1")


@pytest.mark.parametrize("amount", ["30000", "-30000"])
def test_money_that_moves_within_a_cycle_is_counted_once(settled: MakeRig, amount: str) -> None:
    """It is in the account that the cycle reads at its end, and its activity is known to the next cycle alone."""
    rig = settled()
    before = rig.run(BASE, rules()).snapshot.account

    def paying(real: Any, order: Any, **rest: Any) -> Any:
        if not rig.posts:
            pay_in(rig, amount)
        return real(order, **rest)

    moved = rig.run(NEXT, rules(), faults={"submit": paying})
    assert moved.account_after is not None
    assert abs(moved.account_after.equity - moved.snapshot.account.equity - Decimal(amount)) < 1000
    after = rig.run(NEXT, STRICT)
    until(rig, MONDAY)
    later = rig.run(NEXT, STRICT)
    assert {after.outcome, later.outcome} <= {CycleOutcome.COMPLETED, CycleOutcome.HOLDING}
    today = after.snapshot.account
    assert today.last_equity - before.last_equity == Decimal(amount), "no profit and no loss of the day"
    marks = [now.snapshot.account.peak_equity - before.peak_equity - Decimal(amount) for now in (after, later)]
    assert max(map(abs, marks)) < 1500, "but for what the market did"
