"""Which cycles raise which alerts, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.core.decisions import Verdict
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import NOTHING
from rebalancer.journal import CycleEnd, CycleStart, Journal
from rebalancer.report.records import ReconciliationLine, RunRecord
from rebalancer.session.alert_rules import report_cycle
from tests.report.sample import sample_record

QUIET = sample_record()._replace(orders=(), reconciled=(), outcome=CycleOutcome.COMPLETED)
ACCOUNT = QUIET.snapshot.account.id


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "j.sqlite") as journal:
        yield journal


def told(journal: Journal) -> list[tuple[str, str, str | None]]:
    return [(e.body["level"], e.body["code"], e.key) for e in journal.events(kind="alert")]


def ended(journal: Journal, record: RunRecord, outcome: CycleOutcome, minutes: int) -> RunRecord:
    """The record after its cycle was begun and closed in the journal under an id of its own."""
    at = record.snapshot.as_of + timedelta(minutes=minutes)
    cycle_id = f"cycle-{minutes:03}"
    journal.begin_cycle(CycleStart(ACCOUNT, cycle_id, "paper", at, "test", "0" * 64))
    journal.close_cycle(CycleEnd(ACCOUNT, cycle_id, at, outcome, "so", {}, {}, None, {}, None, True), ())
    return record._replace(
        outcome=outcome, because="so", snapshot=record.snapshot._replace(cycle_id=cycle_id), ended_at=at
    )


def test_a_cycle_that_went_well_tells_nothing(journal: Journal) -> None:
    report_cycle(journal, QUIET)
    assert told(journal) == []


def test_halted_cycles_are_told_once_a_stretch(journal: Journal) -> None:
    halted, fine = CycleOutcome.HALTED_STALE_QUOTES, CycleOutcome.HOLDING
    for minutes, outcome in enumerate([halted, halted, fine, halted, CycleOutcome.HALTED_KILL_SWITCH]):
        report_cycle(journal, ended(journal, QUIET, outcome, minutes))
    assert told(journal) == [
        ("action", "halted", "HALTED_STALE_QUOTES"),
        ("action", "halted", "HALTED_STALE_QUOTES"),
        ("warning", "halted", "HALTED_KILL_SWITCH"),
    ]


def test_constrained_cycles_are_told_once_a_stretch(journal: Journal) -> None:
    bound, fine = CycleOutcome.CONSTRAINED, CycleOutcome.HOLDING
    for minutes, outcome in enumerate([bound, bound, fine, bound]):
        report_cycle(journal, ended(journal, QUIET, outcome, minutes))
    assert told(journal) == [("warning", "constrained", "CONSTRAINED")] * 2


def test_a_loss_limit_is_told_by_its_latch_alone(journal: Journal) -> None:
    report_cycle(journal, ended(journal, QUIET, CycleOutcome.HALTED_DAILY_LOSS, 0))
    assert told(journal) == []


def test_orders_without_a_known_end_and_late_fills(journal: Journal) -> None:
    first, second, *_ = sample_record().orders
    unknown = first._replace(state=OrderState.UNKNOWN)
    findings = (
        ReconciliationLine("KO", "late_fill", "3 shares more"),
        ReconciliationLine("JPM", "corporate_action", "a split"),
    )
    filled = second._replace(state=OrderState.FILLED)
    report_cycle(journal, QUIET._replace(orders=(unknown, filled), reconciled=findings))
    assert told(journal) == [("action", "unknown_order", unknown.symbol), ("warning", "late_fill", "KO")]


def test_a_source_is_stale_when_all_of_it_is_and_is_told_once_for_each_newest_signal(journal: Journal) -> None:
    one, two, *_ = QUIET.snapshot.signals
    signals = (one._replace(source="old"), two._replace(source="old"))

    def record(*outcomes: Outcome, newer: int = 0) -> RunRecord:
        moved = tuple(s._replace(issued_at=s.issued_at + timedelta(minutes=newer)) for s in signals)
        verdicts = tuple(Verdict(s.id, s.symbol, o, NOTHING) for s, o in zip(moved, outcomes, strict=True))
        return QUIET._replace(snapshot=QUIET.snapshot._replace(signals=moved), verdicts=verdicts)

    stale, old = Outcome.REJECTED_STALE, Outcome.REJECTED_SUPERSEDED
    report_cycle(journal, record(stale, Outcome.HELD_AT_TARGET))
    report_cycle(journal, record(old, old))
    assert told(journal) == []
    report_cycle(journal, record(stale, old))
    report_cycle(journal, record(stale, stale))
    assert told(journal) == [("warning", "stale_signals", "old")]
    report_cycle(journal, record(stale, stale, newer=5))
    assert told(journal) == [("warning", "stale_signals", "old")] * 2
