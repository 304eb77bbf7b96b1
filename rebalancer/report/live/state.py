"""What an account does at this moment, in one word and in one sentence, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.report.attention import Attention, attention
from rebalancer.report.live.records import LiveAlarm, LiveOrder, LiveState
from rebalancer.report.numbers import amount_of, clock_text, day_text, hour_text
from rebalancer.report.records import RunRecord, StatusView
from rebalancer.report.summary import needs_text
from rebalancer.report.visible import visible
from rebalancer.report.words import cycle_word

TEXT_MAX: Final = 280
_LATCHED: Final = (CycleOutcome.HALTED_DAILY_LOSS, CycleOutcome.HALTED_DRAWDOWN)


def state_of(view: StatusView, *, attended: bool) -> LiveState:
    """The state of an account. attended: a session runs or is about to be started by its timer."""
    if view.stopped:
        return LiveState.HALTED
    if view.running is not None:
        return LiveState.TRADING
    if view.last is None:
        return LiveState.NOTHING_YET
    return LiveState.AT_REST if attended else LiveState.UNATTENDED


def sentence_of(state: LiveState, view: StatusView, orders: Sequence[LiveOrder], needs: Sequence[Attention]) -> str:
    """The state in one sentence, from what is known; whether a person is needed stands at its end."""
    return f"{'; '.join(_parts(state, view, orders))}; {needs_text(tuple(needs))}."


def needs_of(
    view: StatusView, killed: str | None, record: RunRecord | None, alarms: Sequence[LiveAlarm]
) -> tuple[Attention, ...]:
    """Everything that needs a person now, things to do before things to watch. killed: the kill switch's reason, None
    when it is not set."""
    found = [*_of_status(view, killed), *_of_record(view, record), *_of_alarms(view.now, alarms)]
    return tuple(sorted(found, key=lambda item: item.level != "act"))


def _parts(state: LiveState, view: StatusView, orders: Sequence[LiveOrder]) -> Iterator[str]:
    match state:
        case LiveState.HALTED:
            yield f"Halted: {visible(view.stopped, TEXT_MAX)}"
        case LiveState.TRADING:
            assert view.running is not None
            mine = [order for order in orders if order.cycle_id == view.running.cycle_id]
            done = sum(order.word.text == "filled" for order in mine)
            said = f", {done} of {amount_of(len(mine), 'order')} filled" if mine else ""
            yield f"Trading: a cycle runs since {clock_text(view.running.started_at)} ET{said}"
            return
        case LiveState.NOTHING_YET:
            yield "No cycle has run yet"
        case LiveState.AT_REST:
            yield "At rest"
        case LiveState.UNATTENDED:
            yield "No session runs, so nothing is traded"
    if view.last is not None:
        word = cycle_word(view.last.outcome).text
        count = f", {view.last.filled} of {amount_of(view.last.orders, 'order')} filled" if view.last.orders else ""
        yield f"the last cycle, {_when(view.last.started_at, view.now)}, {_ended(word)}{count}"
    if view.next_at is not None and state is not LiveState.UNATTENDED:
        yield f"the next is due at {_when(view.next_at, view.now)}"


def _ended(word: str) -> str:
    return "completed" if word == "completed" else f"was {word}"


def _sentence(text: str) -> str:
    shown = visible(text, TEXT_MAX).strip().rstrip(".")
    return f"{shown[:1].upper()}{shown[1:]}."


def _when(moment: datetime, now: datetime) -> str:
    same = midnight_in_new_york(moment) == midnight_in_new_york(now)
    return f"{hour_text(moment)} ET" if same else f"{day_text(moment)} {hour_text(moment)} ET"


def _of_status(view: StatusView, killed: str | None) -> Iterator[Attention]:
    if killed is not None:
        text = f"{_sentence(killed)} Nothing is sent until you lift it."
        yield Attention("act", "The kill switch is set", text, "rebalancer resume --reason 'why'")
    elif view.stopped:
        yield Attention("act", "A limit stops trading", _sentence(view.stopped), "rebalancer status")
    if view.unknown_orders:
        title = f"Unknown at the broker: {amount_of(view.unknown_orders, 'order')}"
        text = "Their symbols are frozen until the broker answers; the next cycle asks again."
        yield Attention("act", title, text, "rebalancer run-now")
    if view.next_hint.startswith("the session of "):
        yield Attention("act", "The session has ended early", _sentence(view.next_hint), "rebalancer doctor")
    if view.unprotected:
        names = ", ".join(visible(symbol, 20) for symbol in view.unprotected[:10])
        more = f" and {len(view.unprotected) - 10} more" if len(view.unprotected) > 10 else ""
        yield Attention("watch", "Positions without exits at the broker", f"{names}{more}.", "rebalancer status")
    for row in view.sources:
        if row.state == "off":
            title = f"Source off: {visible(row.name, 40)}"
            level = "act" if row.kind in ("key", "gone") else "watch"
            said = "; ".join(visible(part, TEXT_MAX) for part in (row.because, row.hint) if part)
            yield Attention("act" if level == "act" else "watch", title, f"{said}.", "rebalancer sources list")


def _of_record(view: StatusView, record: RunRecord | None) -> Iterator[Attention]:
    """What the report of the last planned cycle says, unless it is over: a switch that was lifted, orders that a
    running cycle still waits for, and what the status says better."""
    if record is None:
        return
    runs = view.running is not None and view.running.cycle_id == record.plan.cycle_id
    if runs:
        record = record._replace(outcome=CycleOutcome.COMPLETED, orders=(), because="")
    is_over = record.outcome is CycleOutcome.HALTED_KILL_SWITCH or (view.stopped and record.outcome in _LATCHED)
    if is_over:
        record = record._replace(outcome=CycleOutcome.HOLDING, because="")
    for item in attention(record._replace(sources=())):
        if not item.title.startswith("Unknown at the broker"):
            yield item


def _of_alarms(now: datetime, alarms: Sequence[LiveAlarm]) -> Iterator[Attention]:
    morning = midnight_in_new_york(now)
    today = [alarm for alarm in alarms if alarm.level == "action" and alarm.at >= morning]
    if today:
        title = f"{amount_of(len(today), 'alarm')} of today asked for a person"
        yield Attention("watch", title, f"The newest: {today[0].text.rstrip('.')}.", "rebalancer alerts")
