"""The figures of a period's report, each once: its page, its mail and its JSON take them from here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rebalancer.accounting.order_counts import OrderCounts
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO
from rebalancer.performance.stats import round_trip_stats
from rebalancer.report.allocation import by_symbol, largest_drift
from rebalancer.report.figures.figure import Figures, scope_of
from rebalancer.report.figures.of_account import Standing, add_standing
from rebalancer.report.figures.of_book import add_bets
from rebalancer.report.figures.of_operations import add_operations
from rebalancer.report.figures.of_window import (
    add_execution,
    add_money,
    add_returns,
    add_trip_stats,
    add_trips,
    window_of,
)
from rebalancer.report.period.records import PeriodReport, TradeLine

BRIDGE_NAMES = {
    "Price moves": "price_moves",
    "Dividends": "dividends",
    "Interest": "interest",
    "Fees": "fees",
    "Slippage": "slippage",
    "Other activities": "other",
    "Deposits and withdrawals": "flows",
    "Books accepted by a person": "accepted",
}


def counts_of(edition: PeriodReport) -> OrderCounts:
    """The counts of the journal; of a report that was not gathered from one, those of its lines."""
    if edition.counts is not None:
        return edition.counts
    lines = [trade.line for trade in edition.trades if trade.is_ours and trade.was_intended]
    filled = sum(line.state is OrderState.FILLED for line in lines)
    return OrderCounts(len(lines), filled, sum(line.filled_qty > ZERO for line in lines))


def figures_of(edition: PeriodReport) -> Figures:
    """Every figure of the report. The edition must be redacted if its figures are to be shown."""
    figures = Figures()
    first, last = edition.window or (edition.first, edition.last)
    scope, end = scope_of(first, last), last.isoformat()
    add_standing(figures, end, Standing(edition.equity, edition.cash, edition.peak_equity))
    if edition.summary is not None and edition.summary.course.days:
        scope = window_of(edition.summary)
        add_returns(figures, edition.summary)
        add_money(figures, edition.summary, _booked_slippage(edition, scope))
        add_trips(figures, edition.summary)
    else:
        _add_plain_money(figures, edition, scope)
    if edition.whole is not None and edition.whole.course.days:
        _add_whole(figures, edition)
    _add_orders(figures, edition, scope_of(first, last))
    _add_exposure(figures, edition, end)
    if edition.risk is not None:
        add_bets(figures, end, edition.risk.bets)
    add_execution(figures, scope, {row.name: row for row in (*edition.quality, *edition.quality_by_hour)})
    if edition.execution is not None:
        add_execution(figures, scope, {"All": edition.execution})
    _add_bridge(figures, edition)
    for one in edition.contributions:
        figures.add(f"contribution[{one.symbol}]", scope, one.amount, "usd_signed")
    if edition.days:
        _add_days(figures, edition)
    if edition.operations is not None:
        add_operations(figures, scope_of(first, last), edition.operations)
    if edition.gaps:
        apart = [abs(gap.achieved - gap.target) for gap in edition.gaps]
        figures.add("sizing.mean", scope_of(first, last), sum(apart) / len(apart), "points")
        figures.add("sizing.largest", scope_of(first, last), max(apart), "points")
    return figures


def _booked_slippage(edition: PeriodReport, scope: str) -> Decimal | None:
    """The slippage line of the bridge, when it covers exactly these days."""
    bridge, books = edition.bridge, edition.books
    if bridge is None or not bridge.by_prices or not books or scope_of(books[0].day, books[-1].day) != scope:
        return None
    return sum((line.amount for line in bridge.lines if line.label == "Slippage"), ZERO)


def _add_plain_money(figures: Figures, edition: PeriodReport, scope: str) -> None:
    """Without a performance: the change from the first to the last known equity, deposits and withdrawals left out."""
    before, known = edition.equity_before, edition.equity is not None and bool(edition.equity_before)
    profit = edition.equity - edition.flows - before if edition.equity is not None and before is not None else None
    change = profit / before if known and profit is not None and before else None
    figures.add("opening", scope, before, "usd")
    figures.add("flows", scope, edition.flows, "usd_signed")
    figures.add("profit", scope, profit, "usd_signed")
    figures.add("return", scope, change, "percent_signed")
    own = [trade.line for trade in edition.trades]
    known_costs = [cost for cost in (line.slippage for line in own) if cost is not None]
    figures.add("traded", scope, sum((line.fill_value for line in own), ZERO), "usd")
    figures.add("slippage", scope, sum(known_costs, ZERO) if known_costs else None, "usd_signed")
    add_trip_stats(figures, scope, round_trip_stats(edition.trips))


def _add_whole(figures: Figures, edition: PeriodReport) -> None:
    """The figures since the records began, unless the period is that."""
    whole = edition.whole
    assert whole is not None
    if edition.summary is None or window_of(edition.summary) != window_of(whole):
        add_returns(figures, whole, "whole.")
        add_trips(figures, whole, "whole.")


def _add_orders(figures: Figures, edition: PeriodReport, scope: str) -> None:
    counts = counts_of(edition)
    figures.add("orders", scope, counts.orders, "count")
    figures.add("orders_filled", scope, counts.orders_filled, "count")
    figures.add("fills", scope, counts.fills, "count")
    figures.add("fills_by_hand", scope, counts.fills_by_hand, "count")
    own = [trade for trade in edition.trades if trade.is_ours and trade.was_intended]
    figures.add("sells", scope, sum(trade.line.side == "sell" for trade in own), "count")
    figures.add("buys", scope, sum(trade.line.side == "buy" for trade in own), "count")
    figures.add("not_sent", scope, len([t for t in edition.trades if t.is_ours]) - len(own), "count")
    traded = figures["traded"].value
    share = traded / edition.capital if isinstance(traded, Decimal) and edition.capital else None
    figures.add("turnover_of_capital", scope, share, "share")
    figures.add("slippage_bp", scope, _slippage_bp(edition, own), "cost_bp")


def _slippage_bp(edition: PeriodReport, own: Sequence[TradeLine]) -> float | None:
    """Of the value of the orders that a plan decided on."""
    if edition.execution is not None or edition.summary is not None:
        return None if edition.execution is None else edition.execution.decision_bp
    known = [(line.slippage, line.filled_qty * line.arrival_price) for line in (trade.line for trade in own)]
    value = sum((worth for cost, worth in known if cost is not None), ZERO)
    return float(sum((cost for cost, _ in known if cost is not None), ZERO) / value * 10_000) if value else None


def _add_exposure(figures: Figures, edition: PeriodReport, end: str) -> None:
    """Net and gross exposure of equity; the leverage is the gross exposure as a multiple."""
    risk, own = edition.risk, edition.summary
    net = None if own is None else own.money.exposure_now
    figures.add("net_exposure", end, risk.net if net is None and risk is not None else net, "share")
    figures.add("gross_exposure", end, None if risk is None else risk.gross, "share")
    figures.add("leverage", end, None if risk is None else risk.gross, "times")
    if edition.latest is not None:
        before, after = largest_drift(by_symbol(edition.latest))
        cycle = edition.latest.snapshot.cycle_id
        figures.add("largest_drift", cycle, before if after is None else after, "points")


def _add_bridge(figures: Figures, edition: PeriodReport) -> None:
    bridge = edition.bridge
    if bridge is None:
        return
    books = [one.day for one in edition.books]
    scope = scope_of(books[0], books[-1]) if books else scope_of(edition.first, edition.last)
    figures.add("bridge.opening", scope, bridge.opening, "usd")
    for line in bridge.lines:
        name = f"bridge.{BRIDGE_NAMES.get(line.label, line.label)}"
        if name not in figures:
            figures.add(name, scope, line.amount, "usd_signed")
    figures.add("bridge.unexplained", scope, bridge.unexplained, "usd_signed")
    figures.add("bridge.closing", scope, bridge.closing, "usd")


def _add_days(figures: Figures, edition: PeriodReport) -> None:
    """One line per day; the same ids as on the page of that day."""
    for line in edition.days:
        day = line.day.isoformat()
        for name, value in (("return", line.change), ("benchmark.return", line.benchmark)):
            figures.add(name, day, value, "percent_signed", f"{name}[{day}]")
        figures.add("equity", day, line.equity, "usd", f"equity[{day}]")
        figures.add("worst_drawdown", day, line.low, "percent", f"worst_drawdown[{day}]")
        for name in ("orders", "orders_filled", "fills", "fills_by_hand"):
            figures.add(name, day, getattr(line.counts, name), "count", f"{name}[{day}]")
