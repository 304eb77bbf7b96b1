"""The figures of latency and effort, for the pages and for `performance`."""

from __future__ import annotations

from rebalancer.report.figures.figure import Figures
from rebalancer.report.operations import Operations

TIMED = ("order", "trade", "exit_pair", "cycle")


def add_operations(figures: Figures, scope: str, found: Operations) -> None:
    """Add `latency.order.p50` and its like in milliseconds, counts, rates, and the size of the journal."""
    for name in TIMED:
        latency = getattr(found, name)
        figures.add(f"latency.{name}.count", scope, latency.measured, "count")
        for part in ("p50", "p95", "longest"):
            figures.add(f"latency.{name}.{part}", scope, getattr(latency, part), "milliseconds")
    figures.add("exit_pairs", scope, found.pairs, "count")
    figures.add("exit_pairs_placed", scope, found.pairs_placed, "count")
    rate = found.pairs_placed / found.pairs if found.pairs else None
    figures.add("exit_pairs_rate", scope, rate, "share")
    for name in ("cycles", "failed", "abandoned", "alarms"):
        figures.add(f"operations.{name}", scope, getattr(found, name), "count")
    figures.add("journal_size", "now", found.journal_bytes, "bytes")
