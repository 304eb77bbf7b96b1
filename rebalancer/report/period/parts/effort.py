"""How long the cycles took, step by step, and their requests to the broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Final

from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal.records import DRY_RUN
from rebalancer.rebalance.cycle_stats import KIND, STEPS, Stats, stats_of
from rebalancer.report.operations import Operations, operations_of
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.run_health import Effort, Requests, StepTime

WHOLE: Final = "all"


def effort(source: Source) -> Effort | None:
    """The period's cycles together; None when none of them was measured."""
    rows = _rows(source)
    if not rows:
        return None
    known = {row.cycle_id for row in rows}
    oldest = [row.oldest_quote_seconds for row in rows if row.oldest_quote_seconds is not None]
    return Effort(
        cycles=len(rows),
        unrecorded=sum(cycle.cycle_id not in known for cycle in source.own),
        steps=_steps(rows),
        requests=_requests(rows),
        feeds=tuple(sorted({row.feed for row in rows})),
        oldest_quote_seconds=max(oldest, default=None),
    )


def operations(source: Source) -> Operations | None:
    """Latency, protection and errors of the period; None when nothing ran in it."""
    return operations_of(source.journal, source.account_id, source.span.holds) if source.own else None


def operations_before(source: Source) -> Operations | None:
    """The same of the period before, of equal length: for the trend."""
    length = source.span.last - source.span.first + timedelta(days=1)
    if source.span.period not in ("week", "month", "year"):
        return None
    first, last = source.span.first - length, source.span.first - timedelta(days=1)
    found = operations_of(source.journal, source.account_id, lambda at: first <= day_in_new_york(at) <= last)
    return found if found.cycles else None


def _rows(source: Source) -> Sequence[Stats]:
    events = source.journal.recall(source.account_id, KIND, since=source.span.begins)
    within = [event for event in events if event.at < source.span.ends]
    found = [source.attempt(f"the times of cycle {e.key}", partial(stats_of, e), None) for e in within]
    return [row for row in found if row is not None and row.mode != DRY_RUN]


def _steps(rows: Sequence[Stats]) -> tuple[StepTime, ...]:
    """Each step over the cycles in which it took measurable time, then all steps of a cycle together."""
    found = []
    for step in STEPS:
        took = [(row.steps[step], row.at) for row in rows if row.steps.get(step, 0.0) > 0]
        if took:
            found.append(_step_time(step, took))
    return (*found, _step_time(WHOLE, [(sum(row.steps.values()), row.at) for row in rows]))


def _step_time(step: str, took: Sequence[tuple[float, datetime]]) -> StepTime:
    worst, at = max(took, key=lambda one: one[0])
    return StepTime(step, len(took), round(median(seconds for seconds, _ in took), 3), round(worst, 3), at)


def _requests(rows: Sequence[Stats]) -> Requests | None:
    """The requests of the cycles whose requests were counted."""
    counts = [row.counts for row in rows if row.counts is not None]
    if not counts:
        return None
    return Requests(
        total=sum(c.calls for c in counts),
        most=max(c.calls for c in counts),
        repeats=sum(c.repeats for c in counts),
        limited=sum(c.limited for c in counts),
        failed=sum(c.failed for c in counts),
        lost=sum(c.lost for c in counts),
        longest_ms=max(c.longest_ms for c in counts),
    )
