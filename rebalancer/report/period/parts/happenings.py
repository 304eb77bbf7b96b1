"""Slots, what was not traded, alerts, changes of the rules, and when the next cycle is due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from rebalancer.core.codec import stored_rules
from rebalancer.core.new_york import day_in_new_york, in_new_york
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.units import in_units
from rebalancer.market_data.trading_calendar import (
    CALENDAR_AHEAD,
    CALENDAR_BACK,
    hours_of,
    next_slot,
    published_hours,
    scheduled_day,
)
from rebalancer.report.paths import report_name
from rebalancer.report.period.parts.resolved import Resolutions
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import AlertRow, Idle, SlotRow
from rebalancer.report.records import RuleChange
from rebalancer.report.words import ORDER_OUTCOMES

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
RANK: Final = {"FROZEN": 0, "DENIED": 1, "NOT": 2, "REJECTED": 3, "HELD": 4}


def slots(source: Source) -> tuple[SlotRow, ...]:
    """The slots of every day on which at least one was claimed; an unclaimed one was missed. Only for the edition of a
    day."""
    if source.span.period != "day":
        return ()
    by_id = {c.cycle_id: c for c in source.own}
    records = {r.snapshot.cycle_id: r for r in source.records}
    rules, found = source.rules, list[SlotRow]()
    around = rules.session.crypto_around_the_clock
    calendar = published_hours(source.span.first - CALENDAR_BACK, source.span.last + CALENDAR_BACK)
    for number in range((source.span.last - source.span.first).days + 1):
        on = source.span.first + timedelta(days=number)
        if hours_of(on, calendar) is None:
            continue
        day = scheduled_day(on, calendar, rules.execution.timing, around_the_clock=around)
        claimed = source.journal.slots(source.account_id, [slot.id for slot in day.slots])
        if not claimed:
            continue
        for slot in day.slots:
            cycle, record = by_id.get(slot.id), records.get(slot.id)
            _, outcome, because = claimed.get(slot.id, ("", CycleOutcome.MISSED, "no session was running"))
            if outcome is None:
                outcome, because = CycleOutcome.ABANDONED, "it has not ended yet"
            filled = 0 if record is None else sum(line.state == "FILLED" for line in record.orders)
            page = "" if record is None else f"{report_name(record)}.html"
            sent = 0 if cycle is None else cycle.orders
            ended = None if cycle is None else cycle.ended_at
            took = None if cycle is None or ended is None else (ended - cycle.started_at).total_seconds()
            found.append(SlotRow(slot.id, slot.at, outcome, because, sent, filled, page, took))
    return tuple(found)


def sessions(source: Source) -> tuple[tuple[datetime, datetime], ...]:
    """The hours in which the market was open, of a day or a week; none where cycles run around the clock."""
    if source.span.period not in ("day", "week") or source.rules.session.crypto_around_the_clock:
        return ()
    return tuple((hours.open, hours.close) for hours in published_hours(source.span.first, source.span.last))


def idle(source: Source) -> tuple[Idle, ...]:
    """What was not traded on the last day, by symbol and outcome: the newest text and the number of cycles."""
    last = day_in_new_york(source.own[-1].started_at) if source.own else None
    found: dict[tuple[str, Outcome], Idle] = {}
    for cycle in source.own:
        if day_in_new_york(cycle.started_at) != last:
            continue
        seen: set[tuple[str, Outcome]] = set()
        for verdict in source.journal.verdicts(cycle.cycle_id, cycle.account_id):
            key = (verdict.symbol, verdict.outcome)
            if verdict.outcome in ORDER_OUTCOMES or key in seen:
                continue
            seen.add(key)
            before = found.get(key)
            words = in_units(str(verdict.because), verdict.symbol)
            found[key] = Idle(*key, words, 1 if before is None else before.cycles + 1)
    return tuple(sorted(found.values(), key=lambda i: (RANK.get(i.outcome.split("_")[0], 2), i.symbol, i.outcome)))


def alarms(source: Source) -> tuple[AlertRow, ...]:
    """The alerts of the period, oldest first; each with what has resolved it since."""
    found, resolutions = [], Resolutions(source)
    for event in source.journal.recall(source.account_id, "alert", since=source.span.begins):
        if event.at < source.span.ends:
            level: Literal["info", "warning", "action"] = "warning"
            match event.body.get("level"):
                case "info" | "action" as known:
                    level = known
            text, code = (str(event.body.get(key, "")) for key in ("text", "code"))
            resolved = source.attempt("what became of an alert", partial(resolutions.of, event), "")
            found.append(AlertRow(event.at, level, text, code, event.key or "", resolved))
    return tuple(found)


def is_followed(source: Source) -> bool:
    """Whether a later cycle, of this period or another, ran as planned after the last one that this report shows."""
    return source.latest is not None and Resolutions(source).normal_cycle_after(source.latest.started_at)


def next_run(source: Source) -> datetime | None:
    """The first slot after this page was made; None for a period that was over by then."""
    if source.made_at >= source.span.ends:
        return None
    rules, today = source.rules, day_in_new_york(source.made_at)
    calendar = published_hours(today - CALENDAR_BACK, today + CALENDAR_AHEAD)
    around = rules.session.crypto_around_the_clock
    found = next_slot(source.made_at, calendar, rules.execution.timing, around_the_clock=around)
    return None if found is None else found.at


def on_this_machine(moment: datetime | None) -> str:
    """A moment on the clock of this machine, such as "Mon 15:30 CET"; empty where that clock shows New York's time."""
    if moment is None:
        return ""
    here = moment.astimezone()
    if here.utcoffset() == in_new_york(moment).utcoffset():
        return ""
    return f"{WEEKDAYS[here.weekday()]} {here:%H:%M} {here.tzname()}"


def rules_changed(source: Source) -> Mapping[str, RuleChange]:
    """The rules that differ, keyed "section.key"; none without a cycle before the period."""
    if not source.own:
        return {}
    before = next((c for c in source.cycles if c.started_at < source.own[0].started_at and c.plan_sha256), None)
    last = next((c for c in reversed(source.own) if c.plan_sha256), None)
    if before is None or last is None or before.rules_sha256 == last.rules_sha256:
        return {}
    journal = source.journal
    was, now = journal.rules_text(before.cycle_id), journal.rules_text(last.cycle_id)
    if was is None or now is None:  # an archive has them
        return {}
    return _rule_differences(was, now)


def _rule_differences(was: str, now: str) -> dict[str, RuleChange]:
    """Every rule that differs between two stored texts of rules, keyed "section.key"; a rule that an older version did
    not know has the value that this version used in effect."""
    found: dict[str, RuleChange] = {}

    def walk(place: str, old: object, new: object) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                walk(f"{place}.{key}".lstrip("."), old.get(key), new.get(key))
        elif old != new:
            found[place] = RuleChange(old, new)

    walk("", stored_rules(was), stored_rules(now))
    return found
