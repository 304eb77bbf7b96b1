"""The exits of a run that has ended: how many there were, and what a cycle knows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from rebalancer.research import tape as tape_rows
from rebalancer.research.bar_times import moment_at
from rebalancer.research.columns_of import EngineInput
from rebalancer.research.history import History


def exit_counts(given: EngineInput, history: History) -> dict[str, int]:
    """How many positions stops and targets closed, how many of their bars had reached both, and how many orders they
    dropped; of a record of live cycles also how many a kill closed."""
    counts, kinds = history.counts, np.asarray(history.exits.kind) % tape_rows.COUNTED
    killed = {"kill": int((kinds == tape_rows.FLATTEN).sum())}
    return {
        "stop": int((kinds == tape_rows.STOP).sum()),
        "target": int((kinds == tape_rows.TARGET).sum()),
        **(killed if given.conditions.exits == tape_rows.RECORDED else {}),
        "both_reached": int(counts[tape_rows.BOTH]),
        "orders_dropped": int(counts[tape_rows.WITHDRAWN]),
    }


def exits_between(given: EngineInput, history: History, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Name, kind and time of the exits from a bar to another one; of recorded ones also of those that closed nothing
    here."""
    tape, exits = given.tape, history.exits
    if given.conditions.exits == tape_rows.RECORDED:
        known = tape.exit_name, tape.exit_kind, tape.exit_at
        rows = slice(*np.searchsorted(tape.exit_bar, (first, last + 1)).tolist())
    else:
        rows = exits.rows(first, last + 1)
        known = exits.name, exits.kind, tape.exited[exits.bar]
    yield from zip(*(column[rows].tolist() for column in known), strict=True)


def last_exits(
    symbols: Sequence[str], given: EngineInput, history: History, bar: int, *, stops_alone: bool = False
) -> dict[str, datetime]:
    """When each name was last closed by an exit, or by a stop alone, as far back as the live program looks."""
    tape, found = given.tape, dict[str, datetime]()
    for name, kind, at in exits_between(given, history, 0, bar):
        is_stop = kind % tape_rows.COUNTED == tape_rows.STOP
        if at >= int(tape.now[bar]) - tape_rows.EXIT_LASTS and (is_stop or not stops_alone):
            found[symbols[name]] = moment_at(at)
    return dict(sorted(found.items()))
