"""Every order of the period with its reason: those of cycles, exits by stop, target and flatten, and trades by hand."""

from __future__ import annotations

from collections.abc import Iterator

from rebalancer.accounting.order_counts import OrderCounts, order_counts
from rebalancer.accounting.order_history import OUTSIDE, is_resting_exit
from rebalancer.accounting.trade_causes import CAUSE_WORDS
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import OrderState
from rebalancer.core.units import in_units
from rebalancer.core.values import ZERO
from rebalancer.journal.records import OrderRecord
from rebalancer.performance.records import OrderHistory
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import DayLine, TradeLine
from rebalancer.report.records import OrderLine


def trades(source: Source) -> tuple[TradeLine, ...]:
    """Every order of the period, in the order in which they were sent; within a cycle reductions first."""
    found = [*_of_cycles(source), *_without_plan(source), *_without_intent(source)]
    return tuple(sorted(found, key=lambda one: (one.at, one.cycle_id, one.line.phase != "reduce", one.line.symbol)))


def counts(source: Source) -> OrderCounts:
    """The orders and fills of the period."""
    return order_counts(source.orders, source.ledger, source.span.holds)


def days(source: Source) -> tuple[DayLine, ...]:
    """The days of a period that is longer than one, oldest first."""
    if source.span.period not in ("week", "month") or source.summary is None:
        return ()
    curve, equity = source.summary.course, {day.day: day.equity for day in source.ledger.days}
    before = source.benchmark_before
    found = []
    for number, day in enumerate(curve.days):
        close = source.closes.get(day)
        other = None if close is None or before is None else close / before - 1.0
        before = close
        own = order_counts(source.orders, source.ledger, lambda at, day=day: day_in_new_york(at) == day)  # type: ignore[misc]
        found.append(DayLine(day, equity.get(day), curve.returns[number], other, curve.drawdown[number], own))
    return tuple(found)


def _of_cycles(source: Source) -> Iterator[TradeLine]:
    for record in source.records:
        reasons = {order.client_order_id: str(order.because) for order in record.plan.orders}
        for line in record.orders:
            history = source.histories.get(line.client_order_id)
            cause = "target" if history is None else history.cause
            at = line.sent_at or record.started_at
            because = in_units(reasons.get(line.client_order_id, ""), line.symbol)
            yield TradeLine(at, record.snapshot.cycle_id, line, because, cause or "target")


def _without_plan(source: Source) -> Iterator[TradeLine]:
    """Orders of exits and flattens: they have an intent, and no plan."""
    planned = {line.client_order_id for record in source.records for line in record.orders}
    because = {cycle.cycle_id: cycle.because for cycle in source.own}
    said = {(event.cycle_id, event.key): str(event.body.get("text", "")) for event in source.exit_alerts}
    for order in source.orders:
        if order.client_order_id in planned or not source.span.holds(order.intended_at):
            continue
        if order.state is OrderState.WITHHELD:
            continue
        history = source.histories.get(order.client_order_id)
        cause = source.exit_cause(order) if history is None else history.cause
        words = said.get((order.cycle_id, order.symbol)) or because.get(order.cycle_id) or CAUSE_WORDS[cause]
        yield TradeLine(order.intended_at, order.cycle_id, _line_of(order), in_units(words, order.symbol), cause)


def _line_of(order: OrderRecord) -> OrderLine:
    return OrderLine(
        client_order_id=order.client_order_id,
        phase=order.phase,
        symbol=order.symbol,
        side=order.side,
        planned_qty=order.qty,
        funded_qty=order.qty,
        filled_qty=order.filled_qty,
        filled_avg_price=order.filled_avg_price,
        state=order.state,
        arrival_price=ZERO,
        reason=order.reason,
        message=order.message,
        sent_at=order.intended_at,
        ended_at=order.at,
    )


def _without_intent(source: Source) -> Iterator[TradeLine]:
    """What traded without an intent of ours: exits that rested at the broker, and trades by hand."""
    for history in source.ledger.order_histories.values():
        by_hand = history.source == OUTSIDE
        if not (by_hand or is_resting_exit(history)) or not source.span.holds(history.sent_at):
            continue
        words = "not an order of this program" if by_hand else in_units(history.reason, history.symbol)
        yield TradeLine(history.sent_at, "", _line_of_history(history), words, history.cause)


def _line_of_history(history: OrderHistory) -> OrderLine:
    whole = history.filled_qty >= history.qty
    return OrderLine(
        client_order_id=history.client_order_id or history.order_id,
        phase="reduce" if history.cause != "hand" else "increase",
        symbol=history.symbol,
        side=history.side,
        planned_qty=history.qty,
        funded_qty=history.qty,
        filled_qty=history.filled_qty,
        filled_avg_price=history.filled_avg_price,
        state=OrderState.FILLED if whole else OrderState.CANCELED,
        arrival_price=ZERO,
        sent_at=history.sent_at,
        ended_at=history.filled_at,
    )
