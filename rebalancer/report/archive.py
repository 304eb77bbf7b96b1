"""Read past cycles back from the journal: as report records, as one-line summaries, and re-planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rebalancer.core.codec import read_plan, read_rules, rules_text, seal, snapshot_text, stored_snapshot
from rebalancer.core.decisions import PLANNER_EDITION, Plan
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import ReasonCode, because, stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import CycleRecord, Journal
from rebalancer.planning import plan
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.report.records import Mode, OrderLine, ReconciliationLine, RunRecord, RunSummary
from rebalancer.report.run_record import changed_rules, order_line
from rebalancer.report.summary import summary_of


def past_record(journal: Journal, cycle_id: str | None) -> RunRecord | None:
    """The record of a planned cycle, the newest when no id is given; None when there is none. What the journal does not
    keep (timings, the account afterwards) is left out."""
    if cycle_id is None:
        cycle = next((c for c in journal.cycles(None, 1000) if c.plan_sha256 is not None), None)
    else:
        cycle = journal.cycle(cycle_id)
    if cycle is None or cycle.plan_sha256 is None:
        return None
    snapshot = stored_snapshot(_text(journal.snapshot_text(cycle.cycle_id)))
    rules = _rules(journal, cycle.cycle_id)
    decided = read_plan(_text(journal.plan_text(cycle.cycle_id)))
    verdicts = journal.verdicts(cycle.cycle_id)
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
        reconciled=tuple(ReconciliationLine(f.symbol, f.kind, str(f.why)) for f in reconcile(snapshot).findings),
        broker_calls={},
        timings=(),
        version="",
        rules_changed=changed_rules(rules),
        started_at=cycle.started_at,
        ended_at=cycle.ended_at or cycle.started_at,
        constrained=cycle.constrained,
        weights=rules.signals.weights,
    )


def past_summaries(journal: Journal, limit: int, *, runs: bool = False) -> Iterator[RunSummary]:
    """Past cycles in one line each, newest first; including those that planned nothing: exits, and halts before the
    plan. runs: a process is at work, so that a newest cycle without an end is not past yet and is left out."""
    for number, cycle in enumerate(journal.cycles(None, limit)):
        if runs and number == 0 and cycle.outcome is None:
            continue
        record = past_record(journal, cycle.cycle_id)
        yield _unplanned(journal, cycle) if record is None else summary_of(record)


def _unplanned(journal: Journal, cycle: CycleRecord) -> RunSummary:
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


def replayed(journal: Journal, cycle_id: str) -> Replayed:
    """Plan a stored cycle again with today's planner and compare it with the stored plan, byte for byte."""
    seen_text, said = _text(journal.snapshot_text(cycle_id)), _text(journal.rules_text(cycle_id))
    stored = _text(journal.plan_text(cycle_id))
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


def _lines(journal: Journal, decided: Plan, cycle: CycleRecord) -> tuple[OrderLine, ...]:
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


def _rules(journal: Journal, cycle_id: str) -> Rules:
    return read_rules(_text(journal.rules_text(cycle_id)))


def _text(found: str | None) -> str:
    assert found is not None, "a planned cycle keeps its snapshot, rules and plan"
    return found


def _mode(name: str) -> Mode:
    match name:
        case "simulated" | "paper" | "live" | "dry_run":
            return name
        case _:
            raise ValueError(f"unknown mode {name!r} in the journal")
