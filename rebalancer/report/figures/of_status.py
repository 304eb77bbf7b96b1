"""The figures of `status`: the account's newest value and the last cycle, from the local journal alone."""

from __future__ import annotations

from rebalancer.accounting.newest_day import NewestDay
from rebalancer.report.figures.figure import Figures
from rebalancer.report.figures.of_account import Standing, add_standing
from rebalancer.report.records import RunSummary


def figures_of_status(now: NewestDay | None, last: RunSummary | None) -> Figures:
    """Every figure of the status that other views show too."""
    figures = Figures()
    if now is not None:
        end = now.day.isoformat()
        add_standing(figures, end, Standing(now.equity, now.cash, now.mark))
        figures.add("return", end, now.change, "percent_signed")
    if last is not None:
        figures.add("orders", last.cycle_id, last.orders, "count", "last.orders")
        figures.add("orders_filled", last.cycle_id, last.filled, "count", "last.orders_filled")
    return figures
