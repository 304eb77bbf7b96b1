"""A cycle that can send nothing says so in the journal, in its record and to the shell."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.run import exit_of
from rebalancer.core.decisions import Constrained
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.journal import Journal
from rebalancer.report.archive import past_record
from rebalancer.report.run_record import record_of
from rebalancer.report.summary import summary_of
from tests.rebalance.conftest import MakeRig
from tests.rebalance.test_funding import BEFORE, invested
from tests.support.rig import rules

NOW = datetime(2026, 11, 20, 16, tzinfo=UTC)


def test_nothing_left_to_send_is_constrained_everywhere(make_rig: MakeRig) -> None:
    by = rules(execution__max_orders_per_execution=0)
    rig = make_rig()
    result = rig.run(BEFORE, by)
    wanted = Constrained(3, Outcome.DENIED_ORDERS_PER_EXECUTION, Decimal("0.1"))
    assert (result.outcome, result.orders) == (CycleOutcome.CONSTRAINED, ())
    assert result.constrained is not None
    assert (result.constrained.trades, result.constrained.largest) == wanted[:2]
    with Journal.open(rig.journal_file) as journal:
        live = record_of(result, journal, by, "paper", {}, NOW, NOW)
        past = past_record(journal, None)
        (cycle,) = journal.cycles(None, 10)
    assert past is not None
    assert (
        live.constrained == past.constrained == cycle.constrained == summary_of(live).constrained == result.constrained
    )
    assert exit_of(live, trades_due=False) == ExitCode.NOT_ALL_FILLED
    assert exit_of(live._replace(mode="dry_run"), trades_due=False) == ExitCode.DONE
    assert exit_of(live, trades_due=True) == ExitCode.DONE


def test_with_orders_sent_the_sentence_names_both(make_rig: MakeRig) -> None:
    rig = make_rig(cash=Decimal(30_000))
    result = rig.run(BEFORE, invested(1, execution__max_orders_per_execution=2))
    assert result.outcome is CycleOutcome.COMPLETED
    assert result.constrained is not None
    assert result.because.startswith("2 of 2 orders filled; 1 trade beyond the band denied, the largest a drift of ")
    with Journal.open(rig.journal_file) as journal:
        record = record_of(result, journal, rules(), "paper", {}, NOW, NOW)
    assert record.constrained is not None
    assert exit_of(record, trades_due=False) == ExitCode.DONE, "COMPLETED: what was sent has filled"
    first, *rest = record.orders
    partly = record._replace(orders=(first._replace(state=OrderState.CANCELED), *rest))
    assert exit_of(partly, trades_due=False) == ExitCode.NOT_ALL_FILLED
