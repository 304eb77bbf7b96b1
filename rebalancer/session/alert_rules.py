"""Which ends of cycles and slots are reported to people. Written to the journal as alerts; `rebalancer.alerts` delivers
them.

Findings of other modules are reported there: latched limits, unexplained positions, doubt, protective exits, missing
protection, differences at the end of the day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from rebalancer.alerts.message import SUMMARY
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.market_data.trading_calendar import Slot
from rebalancer.report.records import RunRecord
from rebalancer.session.slots import NOBODY_WAS_THERE, SlotBook
from rebalancer.session.source_alerts import source_alerts

Row = tuple[str, str, dict[str, object]]
LOSSES: Final = frozenset({CycleOutcome.HALTED_DAILY_LOSS, CycleOutcome.HALTED_DRAWDOWN})  # reported when latched
BY_HAND: Final = frozenset({CycleOutcome.HALTED_KILL_SWITCH})
QUIET: Final = frozenset({CycleOutcome.SKIPPED_MARKET_CLOSED, CycleOutcome.SKIPPED_PAUSED})
_OLD: Final = frozenset({Outcome.REJECTED_STALE, Outcome.REJECTED_SUPERSEDED})


def report_cycle(journal: Journal, record: RunRecord, *, has_substitute: bool = True) -> None:
    """Write the alerts of a cycle that has just ended: halted, constrained, orders in an unknown state, late fills,
    stale signals, sources that went off."""
    account_id, cycle_id = record.snapshot.account.id, record.snapshot.cycle_id
    rows = [*_halted(journal, record), *_constrained(journal, record), *_orders(record), *_old_signals(journal, record)]
    rows += source_alerts(journal, account_id, record.sources, has_substitute=has_substitute)
    if rows:
        journal.record_events(account_id, cycle_id, record.ended_at, rows)


def report_day(journal: Journal, account_id: str, at: datetime, day: date, text: str) -> None:
    """Write the alert that becomes the day's summary."""
    row = alert_row(day.isoformat(), "info", SUMMARY, text, day=day.isoformat())
    journal.record_event(account_id, None, at, *row)


class ReportingSlotBook(SlotBook):
    """A slot book that reports slots in which no cycle ran."""

    def __init__(self, journal: Journal, account_id: str) -> None:
        super().__init__(journal, account_id)
        self._kept, self._account = journal, account_id

    def close(self, slot: Slot, at: datetime, outcome: CycleOutcome, because: str) -> bool:
        """Close one slot, and report it."""
        closed = super().close(slot, at, outcome, because)
        if closed and outcome not in QUIET:
            level: AlertLevel = "action" if outcome is CycleOutcome.HALTED_ACCOUNT else "warning"
            said = f"no cycle ran in the slot {slot.id}: {outcome}: {because}"
            self._tell(at, level, "halted" if outcome.startswith("HALTED") else "missed_slots", said)
        return closed

    def sweep(self, slots: Sequence[Slot], at: datetime, because: str = NOBODY_WAS_THERE) -> int:
        """Close all unclaimed slots before `at`, and report them in one sentence."""
        past = [slot for slot in self.left(slots) if slot.at < at]
        missed = [slot for slot in past if super(ReportingSlotBook, self).close(slot, at, CycleOutcome.MISSED, because)]
        if missed:
            many = f"{len(missed)} slots from {missed[0].id} to {missed[-1].id} were" if missed[1:] else missed[0].id
            said = f"{many} missed: {because}" if missed[1:] else f"the slot {many} was missed: {because}"
            self._tell(at, "warning", "missed_slots", said)
        return len(missed)

    def _tell(self, at: datetime, level: AlertLevel, code: str, text: str) -> None:
        self._kept.record_event(self._account, None, at, *alert_row(code, level, code, text))


def _halted(journal: Journal, record: RunRecord) -> Iterator[Row]:
    """Once per series of cycles that halt for the same reason."""
    outcome = record.outcome
    if not outcome.startswith(("HALTED", "ABANDONED")) or outcome in LOSSES:
        return
    if not _is_new(journal, record):
        return
    level: AlertLevel = "warning" if outcome in BY_HAND else "action"
    text = f"the cycle {record.snapshot.cycle_id} ended {outcome}: {record.because}"
    yield alert_row(str(outcome), level, "halted", text)


def _constrained(journal: Journal, record: RunRecord) -> Iterator[Row]:
    """Once per series of cycles in which a limit blocked everything that was left to trade."""
    outcome = CycleOutcome.CONSTRAINED
    if record.outcome is outcome and _is_new(journal, record):
        text = f"the cycle {record.snapshot.cycle_id} sent nothing: {record.because}"
        yield alert_row(str(outcome), "warning", "constrained", text)


def _is_new(journal: Journal, record: RunRecord) -> bool:
    """Whether the previous cycle ended differently."""
    latest = journal.cycles(record.snapshot.account.id, 2)
    before = [c for c in latest if c.cycle_id != record.snapshot.cycle_id]
    return not (before and before[0].outcome is record.outcome and before[0].mode != "dry_run")


def _orders(record: RunRecord) -> Iterator[Row]:
    for line in record.orders:
        if line.state is OrderState.UNKNOWN:
            text = f"{line.symbol}: the outcome of order {line.client_order_id} is unknown; the symbol is frozen"
            yield alert_row(line.symbol, "action", "unknown_order", text)
    for finding in record.reconciled:
        if finding.kind == "late_fill":
            text = f"{finding.symbol}: {finding.text}"
            yield alert_row(finding.symbol, "warning", "late_fill", text)


def _old_signals(journal: Journal, record: RunRecord) -> Iterator[Row]:
    """A source whose signals are all stale: reported once for each newest signal."""
    ends: dict[str, set[Outcome]] = {}
    newest: dict[str, datetime] = {}
    verdicts: Mapping[str, Outcome] = {v.signal_id: v.outcome for v in record.verdicts}
    for signal in record.snapshot.signals:
        if signal.id in verdicts:
            ends.setdefault(signal.source, set()).add(verdicts[signal.id])
            newest[signal.source] = max(newest.get(signal.source, signal.issued_at), signal.issued_at)
    for source, outcomes in sorted(ends.items()):
        if Outcome.REJECTED_STALE not in outcomes or outcomes - _OLD:
            continue
        issued = time_text(newest[source])
        earlier = journal.recall(record.snapshot.account.id, "alert", keys=[source], last=1)
        if earlier and earlier[0].body.get("code") == "stale_signals" and earlier[0].body.get("issued") == issued:
            continue
        text = f"all signals of {source} are stale, the newest is of {issued}: nothing is traded on them"
        yield alert_row(source, "warning", "stale_signals", text, issued=issued)
