"""What each cycle cost is journalled, however it ends; and no cycle ends because of it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rebalancer.brokers.request_metrics import RequestCounts, RequestMetrics
from rebalancer.core.errors import BrokerUnavailable, LockHeld
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.execution.kill_switch import write_halt
from rebalancer.journal import Journal
from rebalancer.rebalance.cycle_stats import KIND, STEPS, Stats, stats_of
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.faults import unreadable
from tests.support.rig import Rig, rules

SLOT = "2026-11-20T15:35Z"


def recorded(rig: Rig) -> list[Stats]:
    """The rows after the one of the settled account."""
    with Journal.open(rig.journal_file) as journal:
        return [stats_of(event) for event in journal.recall(rig.account_id, KIND)][1:]


def test_a_cycle_that_trades(settled: MakeRig) -> None:
    rig = settled(fill_latency_seconds=5.0)
    process = rig.process(rules=rules())
    rig.requests()
    result = rig.cycle(process, NEXT, rules(), cycle_id=SLOT)
    asked = rig.requests()
    (row,) = recorded(rig)
    oldest = min(q.at for q in result.snapshot.quotes)
    assert row._replace(steps={}) == Stats(
        cycle_id=SLOT,
        at=row.at,
        mode="simulated",
        ended=CycleOutcome.COMPLETED,
        steps={},
        counts=RequestCounts(calls=len(asked), longest_ms=row.counts.longest_ms if row.counts else -1),
        feed="iex",
        oldest_quote_seconds=round((result.snapshot.as_of - oldest).total_seconds(), 3),
    )
    assert list(row.steps) == [step for step in STEPS if step != "failed"]
    assert row.steps == {step: round(seconds, 3) for step, seconds in result.timings}
    assert row.steps["reduce"] < 5 < 10 <= row.steps["wait"], (
        "both phases wait for their fills, and that is not sending"
    )


def test_a_cycle_that_halts(settled: MakeRig) -> None:
    rig = settled()
    process = rig.process(rules=rules())
    write_halt(rig.folder, "a test")
    result = rig.cycle(process, NEXT, rules(), cycle_id=SLOT)
    (row,) = recorded(rig)
    assert (result.outcome, row.ended) == (CycleOutcome.HALTED_KILL_SWITCH, CycleOutcome.HALTED_KILL_SWITCH)
    assert list(row.steps) == ["read", "plan", "journal", "reduce", "fund", "increase", "look_after"]


def test_a_cycle_that_cannot_read(settled: MakeRig) -> None:
    rig = settled()
    with pytest.raises(BrokerUnavailable):
        rig.run(NEXT, rules(), cycle_id=SLOT, faults={"quotes": unreadable})
    (row,) = recorded(rig)
    assert (row.cycle_id, row.ended, list(row.steps)) == (SLOT, "BrokerUnavailable", ["failed"])
    assert row.at.date() == rig.exchange.clock.now().date(), "dated by the exchange, not by this machine"
    assert row.oldest_quote_seconds is None
    assert row.counts is not None
    assert row.counts.calls > 0, "the other three reads"


def test_a_slot_of_another_run_is_left_alone(settled: MakeRig) -> None:
    rig = settled()
    rig.run(NEXT, rules(), cycle_id=SLOT)
    with pytest.raises(LockHeld):
        rig.run(NEXT, rules(), cycle_id=SLOT)
    assert [row.ended for row in recorded(rig)] == [CycleOutcome.COMPLETED]


class NotANumber(RequestMetrics):
    """A counter that is broken."""

    def lap(self) -> RequestCounts:
        return RequestCounts(longest_ms=float("nan"))  # type: ignore[arg-type]  # that is what is broken


@pytest.mark.parametrize("fault", ["cannot be written", "the disk fails"])
def test_no_cycle_ends_because_of_it(settled: MakeRig, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    rig = settled()
    process = rig.process(rules=rules())
    caplog.set_level(logging.WARNING, "rebalancer.world.cycle_stats")
    if fault == "cannot be written":
        process = process._replace(world=process.world._replace(traffic=NotANumber()))
        assert rig.cycle(process, NEXT, rules(), cycle_id=SLOT).outcome is CycleOutcome.COMPLETED
    else:
        process.broker.script["quotes"] = lambda *_: _lose(rig.journal_file, process.journal)
        with pytest.raises(BrokerUnavailable, match="its own error"):
            rig.cycle(process, NEXT, rules(), cycle_id=SLOT)
    assert [r.message.partition(":")[0] for r in caplog.records] == ["what the cycle cost is not recorded"]
    if fault == "cannot be written":
        assert recorded(rig) == []


def _lose(file: Path, journal: Journal) -> None:
    """The journal's file goes away while the broker fails."""
    journal.close()
    file.write_bytes(b"")
    raise BrokerUnavailable("its own error")
