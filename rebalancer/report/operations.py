"""How the program itself did in a stretch of time: latency, protection, errors, and the size of the journal.

Times are those of the journal's rows: from the intent of an order to the first word of the broker, and to its last
fill. They contain the network, the broker, and our own reading and writing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.journal import Journal
from rebalancer.journal.exit_order_records import KIND as PROTECTION
from rebalancer.journal.exit_order_records import exit_pair_of
from rebalancer.journal.records import DRY_RUN
from rebalancer.rebalance.cycle_stats import KIND as STATS
from rebalancer.rebalance.cycle_stats import stats_of

Holds = Callable[[datetime], bool]


class Latency(NamedTuple):
    """Milliseconds over so many `measured` ones: the median, the 95th percentile (nearest rank) and the longest; None
    when nothing was measured."""

    measured: int
    p50: float | None
    p95: float | None
    longest: float | None


class Operations(NamedTuple):
    """`order`: from the intent to the broker's first word. `trade`: from the intent to the end of an order that filled.
    `exit_pair`: from the intent of a pair of exits until it rests. `cycle`: a whole cycle that sent orders.

    `pairs` were asked for, `pairs_placed` of them came to rest. `cycles` were begun; `failed` of them were halted or
    abandoned, `abandoned` because the process ended. `alarms` asked for a person. `journal_bytes` is its size now."""

    order: Latency
    trade: Latency
    exit_pair: Latency
    cycle: Latency
    pairs: int
    pairs_placed: int
    cycles: int
    failed: int
    abandoned: int
    alarms: int
    journal_bytes: int | None


def latency_of(seconds: Sequence[float]) -> Latency:
    """The latency of these durations."""
    ordered = sorted(max(one, 0.0) * 1000 for one in seconds)

    def rank(share: float) -> float | None:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 3) if ordered else None

    return Latency(len(ordered), rank(0.5), rank(0.95), rank(1.0))


def operations_of(journal: Journal, account_id: str, holds: Holds) -> Operations:
    """Everything that the journal knows of a stretch of time. holds: whether a moment belongs to it."""
    sent, traded = _orders(journal, account_id, holds)
    pairs, placed = _pairs(journal, account_id, holds)
    cycles = [c for c in journal.cycles(account_id, 1_000_000) if c.mode != DRY_RUN and holds(c.started_at)]
    failed = [c for c in cycles if c.outcome is not None and c.outcome.startswith(("HALTED", "ABANDONED"))]
    alerts = [event for event in journal.recall(account_id, "alert") if holds(event.at)]
    return Operations(
        order=latency_of(sent),
        trade=latency_of(traded),
        exit_pair=latency_of(placed),
        cycle=latency_of(_cycles(journal, account_id, holds, {c.cycle_id for c in cycles if c.orders})),
        pairs=pairs,
        pairs_placed=len(placed),
        cycles=len(cycles),
        failed=len(failed),
        abandoned=sum(c.outcome is CycleOutcome.ABANDONED for c in failed),
        alarms=sum(event.body.get("level") == "action" for event in alerts),
        journal_bytes=journal.size(),
    )


def _orders(journal: Journal, account_id: str, holds: Holds) -> tuple[list[float], list[float]]:
    began = {e.key: e.at for e in journal.recall(account_id, "order_intended") if holds(e.at)}
    changes = (*journal.recall(account_id, "order_changed"), *journal.recall(account_id, "order_ended"))
    first: dict[str | None, float] = {}
    filled: dict[str | None, float] = {}
    for event in sorted(changes, key=lambda event: event.seq):
        if event.key not in began:
            continue
        took = (event.at - began[event.key]).total_seconds()
        if event.body["broker_id"] is not None:
            first.setdefault(event.key, took)
        if event.body["state"] == OrderState.FILLED:
            filled[event.key] = took
    return list(first.values()), list(filled.values())


def _pairs(journal: Journal, account_id: str, holds: Holds) -> tuple[int, list[float]]:
    asked, placed = set[str](), dict[str, float]()
    for event in journal.recall(account_id, PROTECTION):
        pair = exit_pair_of(event)
        if not holds(pair.intended_at) or not pair.sent:
            continue
        asked.add(pair.client_order_id)
        if pair.state == "open":
            placed.setdefault(pair.client_order_id, (event.at - pair.intended_at).total_seconds())
    return len(asked), list(placed.values())


def _cycles(journal: Journal, account_id: str, holds: Holds, traded: set[str]) -> list[float]:
    found = []
    for event in journal.recall(account_id, STATS):
        if holds(event.at) and event.key in traded:
            found.append(sum(stats_of(event).steps.values()))
    return found
