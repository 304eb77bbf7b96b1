"""The equity and the high-water mark after every cycle and at every daily close, from the journal's events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rebalancer.core.values import ZERO, decimal_of
from rebalancer.journal.bodies import equity_of, peak_of
from rebalancer.journal.records import DRY_RUN, Event
from rebalancer.performance.drawdown import MarkReading


def mark_readings(ended: Iterable[Event], others: Iterable[Event], flows: Sequence[Event]) -> tuple[MarkReading, ...]:
    """Every reading, oldest first.

    ended: `cycle_ended` events; each has its equity and the mark up to then. others: `day_closed` and values after an
    exit, which move no mark in the journal: their mark is the last one, moved by the `flow` events since, and never
    below their own equity.
    """
    found, last, after = list[MarkReading](), None, 0
    for event in sorted((*ended, *others), key=lambda event: event.seq):
        if event.kind == "cycle_ended":
            if event.key == DRY_RUN:
                continue
            equity, mark = equity_of(event), peak_of(event)
            last, after = (mark, event.seq) if mark is not None else (last, after)
        else:
            equity = decimal_of(event.body["closing_equity" if event.kind == "day_closed" else "equity"])
            mark = mark_now(equity, last, [flow for flow in flows if flow.seq > after and flow.at <= event.at])
        if equity is not None and mark is not None:
            found.append(MarkReading(event.at, equity, mark))
    return tuple(found)


def mark_now(equity: Decimal | None, mark: Decimal | None, flows: Iterable[Event]) -> Decimal | None:
    """The mark at a reading: the last one, moved by the `flow` events since, and never below the equity. USD."""
    if mark is None:
        return equity
    moved = mark + sum((decimal_of(flow.body["amount"]) for flow in flows), ZERO)
    return moved if equity is None else max(moved, equity)
