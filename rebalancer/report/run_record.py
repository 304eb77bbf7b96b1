"""The record of a cycle that has just run, from its result and the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rebalancer.accounting.mark_readings import mark_readings
from rebalancer.core.decisions import Order
from rebalancer.core.documents import plain
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import ReasonCode, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import DRY_RUN
from rebalancer.ops.source_status import SourceStatus
from rebalancer.performance.drawdown import below_mark
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.report.records import Mode, OrderLine, Point, ReconciliationLine, RuleChange, RunRecord, Timing
from rebalancer.report.regime import regime_view
from rebalancer.version import __version__

if TYPE_CHECKING:
    from rebalancer.rebalance.cycle import CycleResult


def record_of(
    result: CycleResult,
    journal: JournalReads,
    rules: Rules,
    mode: Mode,
    calls: Mapping[str, int],
    started: datetime,
    ended: datetime,
    sources: tuple[SourceStatus, ...] = (),
    *,
    has_page: bool = True,
) -> RunRecord:
    """The report's record of a cycle that has just run. has_page: without a page nobody looks at the course of the day,
    which takes longer to read the longer the day is."""
    sent = {o.client_order_id: o for o in result.orders}
    return RunRecord(
        snapshot=result.snapshot,
        plan=result.plan,
        orders=tuple(
            order_line(o, sent.get(o.client_order_id), result.ends.get(o.client_order_id), journal)
            for o in result.plan.orders
        ),
        verdicts=result.verdicts,
        outcome=result.outcome,
        because=result.because,
        mode=mode,
        account_after=result.account_after,
        positions_after=result.positions_after,
        reconciled=tuple(ReconciliationLine(f.symbol, f.kind, str(f.why)) for f in result.findings),
        broker_calls=calls,
        timings=tuple(Timing(step, seconds) for step, seconds in result.timings),
        version=__version__,
        rules_changed=changed_rules(rules),
        started_at=result.snapshot.as_of,
        ended_at=result.snapshot.as_of + (ended - started),
        constrained=result.constrained,
        weights=rules.signals.weights,
        sources=sources,
        regime=regime_view(result.snapshot.regime, rules),
        through_the_day=points_of_day(journal, result.snapshot.account.id, result.snapshot.as_of) if has_page else (),
    )


def points_of_day(journal: JournalReads, account_id: str, moment: datetime) -> tuple[Point, ...]:
    """The equity after every cycle of the day of a moment in New York, without the deposits and withdrawals since its
    beginning."""
    begins = midnight_in_new_york(moment)
    ended = [event for event in journal.recall(account_id, "cycle_ended", since=begins) if event.key != DRY_RUN]
    flows = journal.recall(account_id, "flow", since=begins)
    return tuple(
        Point(
            one.at,
            one.equity - sum((decimal_of(flow.body["amount"]) for flow in flows if flow.at <= one.at), ZERO),
            below_mark(one.equity, one.mark),
        )
        for one in mark_readings(ended, (), flows)
    )


def order_line(planned: Order, sent: Order | None, end: OrderEnd | None, journal: JournalReads) -> OrderLine:
    """One order from plan to end."""
    record = journal.order(planned.client_order_id)
    return OrderLine(
        client_order_id=planned.client_order_id,
        phase=planned.phase,
        symbol=planned.symbol,
        side=planned.side,
        planned_qty=planned.qty,
        funded_qty=sent.qty if sent is not None else ZERO,
        filled_qty=end.filled_qty if end is not None else ZERO,
        filled_avg_price=end.filled_avg_price if end is not None else None,
        state=end.state if end is not None else OrderState.NOT_SENT,
        arrival_price=planned.price,
        reason=record.reason if record is not None else "",
        message=str(end.message if end is not None else because(ReasonCode.CYCLE_ENDED)),
        sent_at=record.intended_at if record is not None else None,
        ended_at=record.at if record is not None else None,
    )


def changed_rules(rules: Rules) -> Mapping[str, RuleChange]:
    """Every rule that is not at its default, keyed "section.key"."""
    found: dict[str, RuleChange] = {}
    _compare("", plain(Rules().model_dump()), plain(rules.model_dump()), found)  # 10000 and 10000.0 are one value
    return found


def _compare(place: str, default: object, value: object, found: dict[str, RuleChange]) -> None:
    if isinstance(default, dict) and isinstance(value, dict) and default:
        for key in value:
            _compare(f"{place}.{key}".lstrip("."), default.get(key), value[key], found)
    elif default != value:
        found[place] = RuleChange(default, value)
