"""The figures of the command `performance`: those of a window of days, as the report of the same days has them."""

from __future__ import annotations

from collections.abc import Iterable

from rebalancer.accounting.order_counts import OrderCounts
from rebalancer.performance.period_bridge import PeriodBridge
from rebalancer.performance.records import DayValue
from rebalancer.performance.risk.factors import Bet
from rebalancer.performance.summary import Summary
from rebalancer.report.figures.figure import Figures, scope_of
from rebalancer.report.figures.of_account import Standing, add_standing
from rebalancer.report.figures.of_book import add_bets
from rebalancer.report.figures.of_operations import add_operations
from rebalancer.report.figures.of_window import add_execution, add_money, add_returns, add_trips, window_of
from rebalancer.report.operations import Operations

COUNTS = ("orders", "orders_filled", "fills", "fills_by_hand")


def figures_of_performance(
    summary: Summary,
    bridge: PeriodBridge | None,
    counts: OrderCounts | None,
    last: DayValue | None,
    operations: Operations | None = None,
    bets: Iterable[Bet] = (),
) -> Figures:
    """Every figure of a summary; none without a day. last: the value of its last day. bets: of the book at its end."""
    figures = Figures()
    scope = window_of(summary)
    if not scope or summary.last is None:
        return figures
    end = summary.last.isoformat()
    add_standing(figures, end, Standing(summary.money.closing, None if last is None else last.cash, summary.mark))
    add_returns(figures, summary)
    booked = bridge is not None and not bridge.unpriced and scope_of(bridge.first, bridge.last) == scope
    add_money(figures, summary, bridge.slippage if bridge is not None and booked else None)
    figures.add("net_exposure", end, summary.money.exposure_now, "share")
    add_trips(figures, summary)
    add_execution(figures, scope, {row.name: row for row in (*summary.by_symbol, *summary.by_hour)})
    if summary.execution is not None:
        add_execution(figures, scope, {"All": summary.execution})
    if counts is not None:
        for name in COUNTS:
            figures.add(name, scope, getattr(counts, name), "count")
    if bridge is not None:
        _add_bridge(figures, bridge)
    if operations is not None:
        add_operations(figures, scope, operations)
    add_bets(figures, end, bets)
    return figures


def _add_bridge(figures: Figures, bridge: PeriodBridge) -> None:
    scope = scope_of(bridge.first, bridge.last)
    figures.add("bridge.opening", scope, bridge.opening, "usd")
    for name in ("flows", "realised", "unrealised", "dividends", "fees", "interest", "other", "unexplained"):
        value = getattr(bridge, name)
        if value or name in ("realised", "unrealised", "unexplained"):
            figures.add(f"bridge.{name}", scope, value, "usd_signed")
    figures.add("bridge.closing", scope, bridge.closing, "usd")
