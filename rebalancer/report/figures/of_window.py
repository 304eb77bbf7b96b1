"""The figures of a window of days, from its `Summary`: the same for the pages, the mail and `performance`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rebalancer.performance.shortfall import ExecutionQuality
from rebalancer.performance.stats import RoundTripStats
from rebalancer.performance.summary import Summary
from rebalancer.report.figures.figure import Figures, Form, scope_of

OF_MONEY: tuple[tuple[str, Form], ...] = (
    ("opening", "usd"), ("flows", "usd_signed"), ("profit", "usd_signed"), ("roi", "percent_signed"),
    ("dividends", "usd"), ("interest", "usd_signed"), ("fees", "usd"), ("slippage", "usd_signed"), ("traded", "usd"),
)  # fmt: skip
OF_RATIOS: tuple[tuple[str, Form], ...] = (
    ("volatility", "share"), ("sharpe", "ratio"), ("sortino", "ratio"), ("calmar", "ratio"),
    ("value_at_risk", "percent_signed"), ("conditional_value_at_risk", "percent_signed"),
    ("best_day", "percent_signed"), ("worst_day", "percent_signed"), ("days_up", "count"), ("days_down", "count"),
)  # fmt: skip
OF_BENCHMARK: tuple[tuple[str, str, Form], ...] = (
    ("return", "benchmark_return", "percent_signed"), ("own_return", "own_return", "percent_signed"),
    ("excess", "excess", "points_signed"), ("days", "days", "count"), ("alpha", "alpha", "percent_signed"),
    ("beta", "beta", "ratio"), ("correlation", "correlation", "ratio"), ("tracking_error", "tracking_error", "share"),
)  # fmt: skip
OF_TRIPS: tuple[tuple[str, Form], ...] = (
    ("trips", "count"), ("won", "count"), ("lost", "count"), ("win_rate", "share"), ("profit", "usd_signed"),
    ("fees", "usd"), ("profit_factor", "ratio"), ("average_win", "usd_signed"), ("average_loss", "usd_signed"),
    ("expectancy", "usd_signed"), ("roi", "percent_signed"), ("held_seconds", "span"),
)  # fmt: skip
OF_GROUP: tuple[tuple[str, Form], ...] = (
    ("trips", "count"), ("win_rate", "share"), ("profit", "usd_signed"), ("roi", "percent_signed"),
)  # fmt: skip
OF_EXECUTION: tuple[tuple[str, Form], ...] = (
    ("orders", "count"), ("value", "usd"), ("arrival_bp", "cost_bp"), ("decision_bp", "cost_bp"), ("spread_bp", "bp"),
    ("seconds", "seconds"),
)  # fmt: skip


def window_of(summary: Summary) -> str:
    """The scope of a summary's days; "" for a summary without a day."""
    days = summary.course.days
    if days:
        return scope_of(days[0], days[-1])
    return "" if summary.last is None else scope_of(summary.last, summary.last)


def add_returns(figures: Figures, summary: Summary, prefix: str = "") -> None:
    """Returns, ratios, the benchmark and the drawdown. prefix: of the names for templates, when a view shows a second
    window."""
    scope = window_of(summary)
    for name, value in (("return", summary.time_weighted), ("money_weighted", summary.money_weighted)):
        figures.add(name, scope, value, "percent_signed", prefix + name)
    figures.add("annual_return", scope, summary.annual_time_weighted, "percent_signed", f"{prefix}annual_return")
    figures.add("worst_drawdown", scope, summary.drawdown_worst, "percent", f"{prefix}worst_drawdown")
    for name, form in OF_RATIOS:
        figures.add(name, scope, getattr(summary.ratios, name), form, prefix + name)
    against = summary.benchmark
    for name, field, form in OF_BENCHMARK:
        value = None if against is None else getattr(against, field)
        figures.add(f"benchmark.{name}", scope, value, form, f"{prefix}benchmark.{name}")


def add_money(figures: Figures, summary: Summary, booked_slippage: Decimal | None = None) -> None:
    """Profit, flows, costs and turnover. booked_slippage: the slippage line of a bridge of the same days, negative when
    lost: its cents are rounded by day, and both are shown."""
    scope, money = window_of(summary), summary.money
    if booked_slippage is not None:
        money = money._replace(slippage=-booked_slippage)
    for name, form in OF_MONEY:
        figures.add(name, scope, getattr(money, name), form)
    figures.add("turnover", scope, money.turnover, "times")
    figures.add("exposure_mean", scope, money.exposure_mean, "share")


def add_trips(figures: Figures, summary: Summary, prefix: str = "") -> None:
    """The statistics of round trips, all and by group."""
    scope = window_of(summary)
    add_trip_stats(figures, scope, summary.trips, prefix)
    for kind, groups in summary.groups.items():
        _add_groups(figures, scope, kind, groups, prefix)


def add_trip_stats(figures: Figures, scope: str, stats: RoundTripStats, prefix: str = "") -> None:
    """The statistics of all round trips of a window."""
    for name, form in OF_TRIPS:
        figures.add(f"trips.{name}", scope, getattr(stats, name), form, f"{prefix}trips.{name}")


def _add_groups(figures: Figures, scope: str, kind: str, groups: Mapping[str, RoundTripStats], prefix: str) -> None:
    for group, stats in groups.items():
        for field, form in OF_GROUP:
            name = f"trips.{kind}[{group}].{field}"
            figures.add(name, scope, getattr(stats, field), form, prefix + name)


def add_execution(figures: Figures, scope: str, rows: Mapping[str, ExecutionQuality]) -> None:
    """The quality of execution, one group of figures per row: `execution[KO]`, `execution[09:00]`, `execution[All]`."""
    for key, row in rows.items():
        for field, form in OF_EXECUTION:
            figures.add(f"execution[{key}].{field}", scope, getattr(row, field), form)
