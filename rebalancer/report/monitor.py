"""What `monitor` shows: the signals of the last minutes, how many of them were executed, and why the others were not.

A signal that several cycles read counts once: as executed when one of them filled an order for it, else with its newest
outcome. Verdicts on positions without a signal are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.journal.records import CycleRecord
from rebalancer.journal.status_query import RecentCycle
from rebalancer.report.columns import TableRow, paint, table, wrap
from rebalancer.report.numbers import amount_of, day_text, hour_text, percent
from rebalancer.report.visible import visible, visible_symbol
from rebalancer.report.words import cycle_word, outcome_word

EXECUTED: Final = frozenset({Outcome.FILLED, Outcome.PARTLY_FILLED})
SATISFIED: Final = frozenset({Outcome.HELD_AT_TARGET, Outcome.HELD_WITHIN_BAND})
SYMBOLS_SHOWN: Final = 6


class OutcomeCount(NamedTuple):
    """The signals with one outcome, the newest of them with its reason, and their symbols."""

    outcome: Outcome
    signals: int
    newest_at: datetime
    newest_symbol: str
    because: str
    symbols: tuple[str, ...]


class SignalActivity(NamedTuple):
    """The signals of a time window. `at_target` ones asked for nothing new; `execution_rate` is executed / received,
    None without signals; `outcomes` has the most frequent first; `last` is the newest cycle of all."""

    since: datetime
    until: datetime
    cycles: Mapping[CycleOutcome, int]
    received: int
    executed: int
    at_target: int
    execution_rate: float | None
    outcomes: tuple[OutcomeCount, ...]
    last: CycleRecord | None


def activity_of(
    found: Sequence[RecentCycle], since: datetime, until: datetime, last: CycleRecord | None
) -> SignalActivity:
    """Count the signals of these cycles, given newest first."""
    ends: dict[str, tuple[Outcome, datetime, str, str]] = {}
    for cycle, verdicts in found:
        for one in verdicts:
            known = ends.get(one.signal_id)
            if one.signal_id and (known is None or (known[0] not in EXECUTED and one.outcome in EXECUTED)):
                ends[one.signal_id] = (one.outcome, cycle.started_at, one.symbol, str(one.because))
    groups: dict[Outcome, list[tuple[Outcome, datetime, str, str]]] = {}
    for end in ends.values():
        groups.setdefault(end[0], []).append(end)
    rows = []
    for outcome, members in groups.items():
        _, at, symbol, why = max(members, key=lambda end: (end[1], end[2]))
        rows.append(OutcomeCount(outcome, len(members), at, symbol, why, tuple(sorted({end[2] for end in members}))))
    rows.sort(key=lambda row: (row.outcome not in EXECUTED, -row.signals, row.outcome))
    executed = sum(row.signals for row in rows if row.outcome in EXECUTED)
    return SignalActivity(
        since=since,
        until=until,
        cycles=Counter(c.cycle.outcome for c in found if c.cycle.outcome is not None),
        received=len(ends),
        executed=executed,
        at_target=sum(row.signals for row in rows if row.outcome in SATISFIED),
        execution_rate=executed / len(ends) if ends else None,
        outcomes=tuple(rows),
        last=last,
    )


def activity_text(found: SignalActivity, head: str, *, width: int | None, colour: bool) -> str:
    """The screen: figures first, then one row an outcome with the newest reason below it."""
    minutes = round((found.until - found.since).total_seconds() / 60)
    until = f"{day_text(found.until)} {hour_text(found.until)} ET"
    lines = [paint(line, "bold", colour) for line in wrap(f"{head}   last {minutes} min, until {until}", width)]
    words = ", ".join(f"{count} {_short(outcome)}" for outcome, count in sorted(found.cycles.items()))
    ended = sum(found.cycles.values())
    lines += _line("cycles", f"{ended}: {words}" if ended else "none ended", width)
    rest = found.received - found.executed - found.at_target
    parts = f"{found.executed} executed, {found.at_target} at their target, {rest} not executed"
    lines += _line("signals", f"{found.received} received: {parts}" if found.received else "none received", width)
    lines += _line("executed", f"{percent(found.execution_rate, 1)} of the signals received (execution rate)", width)
    lines += _line("newest", _last(found.last), width)
    rows = [
        TableRow(
            (str(outcome_word(row.outcome)), f"{row.signals:,}", hour_text(row.newest_at), _symbols(row.symbols)),
            "",
            (f"{visible_symbol(row.newest_symbol)}: {visible(row.because)}",),
        )
        for row in found.outcomes
    ]
    if rows:
        columns = ("outcome", "signals", "newest", "symbols; the newest reason")
        lines += ["", *table(columns, "<><<", rows, width=width, colour=colour)]
    return "\n".join(lines) + "\n"


def _line(title: str, text: str, width: int | None) -> list[str]:
    return wrap(text, width, " " * 9, f"{title:<9}")


def _short(outcome: CycleOutcome) -> str:
    return cycle_word(outcome).text.partition(":")[0]


def _last(cycle: CycleRecord | None) -> str:
    if cycle is None:
        return "no cycle has run yet"
    when = f"{day_text(cycle.started_at)} {hour_text(cycle.started_at)} ET"
    state = "runs" if cycle.outcome is None else str(cycle_word(cycle.outcome))
    orders = f"   {amount_of(cycle.orders, 'order')}" if cycle.orders else ""
    return f"{when} {state}{orders}" + (f"   {visible(cycle.because)}" if cycle.because else "")


def _symbols(names: Sequence[str]) -> str:
    shown = ", ".join(visible_symbol(name) for name in names[:SYMBOLS_SHOWN])
    more = len(names) - SYMBOLS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
