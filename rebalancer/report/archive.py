"""Read past cycles back from the journal: as report records, as one-line summaries, and re-planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rebalancer.core.codec import read_plan, read_rules, rules_text, seal, snapshot_text, stored_snapshot
from rebalancer.core.decisions import PLANNER_EDITION, Plan
from rebalancer.core.errors import JournalBroken
from rebalancer.core.facts import Snapshot
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import ReasonCode, because, stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import CycleRecord
from rebalancer.journal.reads import JournalReads
from rebalancer.planning import plan
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.report.records import Mode, OrderLine, ReconciliationLine, RunRecord, RunSummary
from rebalancer.report.regime import regime_view
from rebalancer.report.run_record import changed_rules, order_line
from rebalancer.report.summary import summary_of
from rebalancer.version import __version__


class PlannedCycle(NamedTuple):
    """What a cycle was planned from, and the plan: none of it changes afterwards."""

    snapshot: Snapshot
    rules: Rules
    plan: Plan
    findings: tuple[ReconciliationLine, ...]


def past_record(journal: JournalReads, cycle_id: str | None) -> RunRecord | None:
    """The record of a planned cycle, the newest when no id is given; None when there is none. What the journal does not
    keep (timings, the account afterwards) is left out. Raises JournalBroken for a cycle that an archive has."""
    if cycle_id is None:
        cycle = next((c for c in journal.cycles(None, 1000) if c.plan_sha256 is not None), None)
    else:
        cycle = journal.cycle(cycle_id)
    if cycle is None or cycle.plan_sha256 is None:
        return None
    return record_of_cycle(journal, cycle, planned_cycle(journal, cycle))


def kept_record(journal: JournalReads, cycle_id: str) -> RunRecord | None:
    """The same; None also for a cycle whose snapshot, rules and plan are in an archive instead of the journal."""
    return None if journal.plan_text(cycle_id) is None else past_record(journal, cycle_id)


def planned_cycle(journal: JournalReads, cycle: CycleRecord) -> PlannedCycle:
    """Read what a planned cycle keeps."""
    name, account_id = cycle.cycle_id, cycle.account_id
    snapshot = stored_snapshot(stored_text(journal.snapshot_text(name, account_id)))
    findings = tuple(ReconciliationLine(f.symbol, f.kind, str(f.why)) for f in reconcile(snapshot).findings)
    rules = read_rules(stored_text(journal.rules_text(name, account_id)))
    return PlannedCycle(snapshot, rules, read_plan(stored_text(journal.plan_text(name, account_id))), findings)


def record_of_cycle(journal: JournalReads, cycle: CycleRecord, planned: PlannedCycle) -> RunRecord:
    """The record of a planned cycle as far as it has come: its orders as the journal knows them now."""
    snapshot, rules, decided, findings = planned
    verdicts = journal.verdicts(cycle.cycle_id, cycle.account_id)
    spoken = tuple(v for v in verdicts if v.signal_id)
    silent = tuple(v for v in verdicts if not v.signal_id)
    return RunRecord(
        snapshot=snapshot,
        plan=decided._replace(unsignalled=silent or decided.unsignalled),
        orders=_lines(journal, decided, cycle),
        verdicts=spoken or decided.verdicts,
        outcome=cycle.outcome or CycleOutcome.ABANDONED,
        because=cycle.because,
        mode=_mode(cycle.mode),
        account_after=None,
        positions_after=(),
        reconciled=findings,
        broker_calls={},
        timings=(),
        version="",
        rules_changed=changed_rules(rules),
        started_at=cycle.started_at,
        ended_at=cycle.ended_at or cycle.started_at,
        constrained=cycle.constrained,
        weights=rules.signals.weights,
        regime=regime_view(snapshot.regime, rules),
    )


def planned_anew(journal: JournalReads, cycle: CycleRecord, rules: Rules) -> RunRecord:
    """The record of a dry run on the snapshot of a planned cycle, with other rules: nothing is read and nothing is
    sent."""
    text = stored_text(journal.snapshot_text(cycle.cycle_id, cycle.account_id))
    snapshot = stored_snapshot(text)
    decided = seal(plan(snapshot, rules), text, rules_text(rules))
    withheld = str(because(ReasonCode.DRY_RUN))
    lines = [
        OrderLine(
            client_order_id=order.client_order_id,
            phase=order.phase,
            symbol=order.symbol,
            side=order.side,
            planned_qty=order.qty,
            funded_qty=order.qty,
            filled_qty=ZERO,
            filled_avg_price=None,
            state=OrderState.WITHHELD,
            arrival_price=order.price,
            message=withheld,
        )
        for order in decided.orders
    ]
    return RunRecord(
        snapshot=snapshot,
        plan=decided,
        orders=tuple(lines),
        verdicts=decided.verdicts,
        outcome=decided.outcome,
        because=str(decided.because),
        mode="dry_run",
        account_after=None,
        positions_after=(),
        reconciled=tuple(ReconciliationLine(f.symbol, f.kind, str(f.why)) for f in reconcile(snapshot).findings),
        broker_calls={},
        timings=(),
        version=__version__,
        rules_changed=changed_rules(rules),
        started_at=snapshot.as_of,
        ended_at=snapshot.as_of,
        weights=rules.signals.weights,
        regime=regime_view(snapshot.regime, rules),
    )


def past_summaries(journal: JournalReads, limit: int, *, runs: bool = False) -> Iterator[RunSummary]:
    """Past cycles in one line each, newest first; including those that planned nothing: exits, and halts before the
    plan. runs: a process is at work, so that a newest cycle without an end is not past yet and is left out."""
    for number, cycle in enumerate(journal.cycles(None, limit)):
        if runs and number == 0 and cycle.outcome is None:
            continue
        record = kept_record(journal, cycle.cycle_id)
        yield _unplanned(journal, cycle) if record is None else summary_of(record)


def _unplanned(journal: JournalReads, cycle: CycleRecord) -> RunSummary:
    orders = journal.orders_of(cycle.cycle_id)
    return RunSummary(
        cycle_id=cycle.cycle_id,
        started_at=cycle.started_at,
        mode=_mode(cycle.mode),
        outcome=cycle.outcome or CycleOutcome.ABANDONED,
        because=cycle.because,
        orders=len(orders),
        filled=sum(order.state is OrderState.FILLED for order in orders),
        turnover=sum((o.filled_qty * (o.filled_avg_price or ZERO) for o in orders), ZERO),
        equity=cycle.equity or ZERO,
        needs=sum(not order.state.is_final for order in orders),
    )


class Replayed(NamedTuple):
    """A stored cycle planned again. `wrong` is what must never happen: a text that does not read back as it was stored,
    or a different plan from the same edition of the planner. `changed` is how today's planner differs from the older
    `edition` that made the plan, line by line."""

    edition: int
    wrong: tuple[str, ...]
    changed: tuple[str, ...]


def replayed(journal: JournalReads, cycle_id: str) -> Replayed:
    """Plan a stored cycle again with today's planner and compare it with the stored plan, byte for byte."""
    seen_text, said = stored_text(journal.snapshot_text(cycle_id)), stored_text(journal.rules_text(cycle_id))
    stored = stored_text(journal.plan_text(cycle_id))
    snapshot, rules, edition = stored_snapshot(seen_text), read_rules(said), read_plan(stored).planner_edition
    wrong = []
    if snapshot_text(snapshot) != seen_text:
        wrong.append("the snapshot does not read back as it was stored")
    if rules_text(rules) != said:
        wrong.append("the rules do not read back as they were stored")
    if edition > PLANNER_EDITION:
        wrong.append(
            f"planned by edition {edition}, and this program is edition {PLANNER_EDITION}: use a newer version"
        )
        return Replayed(edition, tuple(wrong), ())
    again = seal(plan(snapshot, rules), seen_text, said)._replace(planner_edition=edition)
    if edition == 1:  # its limits state no kind, which would move all lines after them
        again = again._replace(limits=tuple(use._replace(kind=None) for use in again.limits))
    found = tuple(_differences(stored, again.to_json()))
    if edition == PLANNER_EDITION:
        return Replayed(edition, (*wrong, *found), ())
    return Replayed(edition, tuple(wrong), found)


def _differences(stored: str, again: str) -> Iterator[str]:
    """Where a plan's text differs from the stored one, line by line; nothing when they are equal."""
    if again == stored:
        return
    old, new = stored.splitlines(), again.splitlines()
    for number, (was, now) in enumerate(zip(old, new, strict=False), start=1):
        if was != now:
            yield f"plan line {number}: was {was.strip()}, now {now.strip()}"
    if len(old) != len(new):
        yield f"the plan had {len(old)} lines, now {len(new)}"


def _lines(journal: JournalReads, decided: Plan, cycle: CycleRecord) -> tuple[OrderLine, ...]:
    records = {o.client_order_id: o for o in journal.orders_of(cycle.cycle_id)}
    lines = []
    for planned in decided.orders:
        record = records.get(planned.client_order_id)
        sent = planned._replace(qty=record.qty) if record is not None else None
        end = None
        if record is not None:
            end = OrderEnd(
                record.client_order_id, record.state, record.filled_qty, record.filled_avg_price, stated(record.message)
            )
        elif cycle.mode == "dry_run":
            end = OrderEnd(
                planned.client_order_id, OrderState.WITHHELD, planned.qty * 0, None, because(ReasonCode.DRY_RUN)
            )
        lines.append(order_line(planned, sent, end, journal))
    return tuple(lines)


def stored_text(found: str | None) -> str:
    """A text of a planned cycle. Raises JournalBroken when an archive has it instead of the journal."""
    if found is None:
        raise JournalBroken(
            "what this cycle was planned from is in an archive (event documents_archived)\n"
            "  hint: rebalancer db unpack ARCHIVE --to DIR, then the same command with --state DIR"
        )
    return found


def _mode(name: str) -> Mode:
    match name:
        case "simulated" | "paper" | "live" | "dry_run":
            return name
        case _:
            raise ValueError(f"unknown mode {name!r} in the journal")
