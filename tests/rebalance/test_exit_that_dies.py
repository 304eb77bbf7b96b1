"""A stop has closed a position, and the process died before it said so: the symbol cools off all the same."""

from __future__ import annotations

from contextlib import suppress

import pytest

from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import stated
from rebalancer.rebalance.immediate_exits import ExitRequest, exit_positions
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, MakeRig
from tests.support.faults import Crash, lost_after
from tests.support.rig import held, rules


@pytest.mark.parametrize("trip_at", range(8, 22))
def test_a_stop_that_dies_keeps_its_symbol_closed(settled: MakeRig, trip_at: int) -> None:
    """Killed before each call of the exit in turn."""
    rig = settled()
    process = rig.process(rules=rules(), trip_at=trip_at)
    with suppress(Crash):
        exit_positions(process.world, rules(), [ExitRequest("KO", "stop", stated("a test"))], "exit")
    sold = "KO" not in held(rig)
    rig.exchange.clock.advance(300)
    result = rig.run(BASE, rules())
    outcome = {v.symbol: v.outcome for v in result.verdicts}["KO"]
    assert (outcome is Outcome.DENIED_COOL_OFF) == sold, outcome
    laws.check_laws(rig.url, rig.journal_file)


def test_a_stop_whose_fill_is_reported_late_keeps_its_symbol_closed(settled: MakeRig) -> None:
    """The answer is lost and no list shows the order; it has filled all the same."""
    rig = settled()
    process = rig.process(rules=rules())
    process.broker.script.update({"submit": lost_after, "orders": lambda *_: (), "find_order": lambda *_: None})
    (gone,) = exit_positions(process.world, rules(), [ExitRequest("KO", "stop", stated("a test"))], "exit")
    assert "has not reported" in gone.problem
    assert "KO" not in held(rig)
    rig.exchange.clock.advance(300)
    result = rig.run(BASE, rules())
    assert {v.symbol: v.outcome for v in result.verdicts}["KO"] is Outcome.DENIED_COOL_OFF
    laws.check_laws(rig.url, rig.journal_file)
