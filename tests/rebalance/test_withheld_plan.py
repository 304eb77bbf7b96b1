"""A fault of the numeric core, found by the last check of the caps: the cycle halts, and the session goes on."""

from __future__ import annotations

import sys

import pytest

from rebalancer.cli.run import exit_of
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.journal import Journal
from rebalancer.planning.numbers import rate
from rebalancer.session.execute import execute
from rebalancer.settings.load import load_rules
from rebalancer.testing import laws
from tests.rebalance.conftest import MakeRig
from tests.rebalance.test_execute import connection, opinions, setup_of

TIGHT = """
position_sizing: {base_position_size: 0.05}
risk_management: {max_sector_exposure: 0.03}
signals: {path: opinions, sample: never}
"""


def test_the_cycle_halts_with_an_alert_and_the_next_one_trades(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    setup = setup_of(rig)
    config = rig.folder / "tight.yaml"
    config.write_text(TIGHT)
    setup = setup._replace(loaded=load_rules([config], {}))
    opinions(rig, {"AAPL": 1.0, "KO": 1.0})
    with monkeypatch.context() as planted:
        planted.setattr(sys.modules["rebalancer.planning.to_columns"], "rate", lambda fraction: rate(fraction) * 2)
        halted = [execute(setup, connection(rig), dry_run=False) for _ in range(2)]
    assert [(r.outcome, r.orders, int(exit_of(r, trades_due=False))) for r in halted] == [
        (CycleOutcome.HALTED_PLAN, (), 5)
    ] * 2
    assert halted[0].because.startswith("the plan failed its last check, a fault of this program, and is withheld: ")
    assert {v.outcome for v in halted[0].verdicts} == {Outcome.NOT_SENT}
    with Journal.open(setup.journal) as journal:
        alerts = [(e.key, e.body["level"], e.body["code"]) for e in journal.events(kind="alert")]
        assert alerts == [("HALTED_PLAN", "action", "halted")], "once for both"
    traded = execute(setup, connection(rig), dry_run=False)
    assert (traded.outcome, len(traded.orders)) == (CycleOutcome.COMPLETED, 2)
    laws.check_laws(rig.url, setup.journal)
