"""How the account performed: its growth, its figures with their method, and the round trips that ended in the
period."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rebalancer.core.units import in_units
from rebalancer.performance import history
from rebalancer.performance.drawdown import below_mark
from rebalancer.performance.ratios import DAYS_FOR_RATES
from rebalancer.performance.records import UNKNOWN
from rebalancer.performance.round_trips import RoundTrip, trips_of
from rebalancer.performance.summary import Summary
from rebalancer.report.figures.of_window import window_of
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.results import Performance, Ratio
from rebalancer.report.records import Point

HELD_BEFORE: Final = "held before"  # held when the records began: its entry is unknown
DAY_SECONDS: Final = 86_400
PERIOD_NAME: Final = {"day": "this day", "week": "this week", "month": "this month", "year": "this year"}


def performance(source: Source) -> Performance | None:
    """The performance from the start of the records to the end of the period. None before the first recorded day."""
    whole, reporting = source.whole, source.rules.reporting
    if whole is None or not whole.course.days:
        return None
    course, period = whole.course, source.summary
    against = None if period is None else period.benchmark
    same_days = period is not None and against is not None and against.days == len(period.course.days)
    return Performance(
        days=course.days,
        growth=course.growth,
        drawdown=course.drawdown,
        benchmark_name=source.benchmark.name if any(v is not None for v in course.benchmark) else "",
        benchmark=course.benchmark,
        months=history.years_of(course.days, course.returns),
        ratios=tuple(_ratios(source, whole)),
        rolling_volatility=history.rolling_volatility(course.returns),
        rolling_sharpe=history.rolling_sharpe(course.returns, reporting.risk_free_rate),
        rolling_beta=history.rolling_beta(course.returns, course.benchmark),
        falls=history.worst_drawdowns(course.days, course.drawdown, course.at_mark),
        distribution=history.distribution(course.returns),
        since=whole.first,
        total=whole.time_weighted,
        money_weighted=whole.money_weighted,
        benchmark_change=against.benchmark_return if same_days and against is not None else None,
    )


def through_the_day(source: Source) -> tuple[Point, ...]:
    """The equity after every cycle of a day or a week, after every exit and at every daily close, excluding deposits
    and withdrawals since the period began."""
    if source.span.period not in ("day", "week"):
        return ()
    begins = source.span.begins
    return tuple(
        Point(one.at, one.equity - source.flow_between(begins, one.at), below_mark(one.equity, one.mark))
        for one in source.ledger.readings
        if begins <= one.at < source.span.ends
    )


def trips(source: Source) -> tuple[RoundTrip, ...]:
    """The round trips that ended in the period, oldest first. The source of what was held when the records began is
    `HELD_BEFORE`; an unknown regime is empty."""
    found = trips_of(source.ledger, source.rules.reporting.lot_method, source.benchmark)
    inherited = {(f.symbol, f.at) for f in source.ledger.inherited}
    return tuple(
        t._replace(
            source=HELD_BEFORE if (t.symbol, t.opened_at) in inherited else t.source,
            regime="" if t.regime == UNKNOWN else t.regime,
            reason=in_units(t.reason, t.symbol),
        )
        for t in found
        if source.span.holds(t.closed_at)
    )


def _ratios(source: Source, whole: Summary) -> Iterator[Ratio]:
    """The rows of "in figures": each with its window in its name. Statistics only when there are enough days."""
    period, name = source.summary, PERIOD_NAME.get(source.span.period, "")
    if period is not None and name and period.course.days != whole.course.days:
        yield from _of_window(period, name)
    yield from _of_window(whole, "" if whole.first is None else f"since {whole.first}")
    if len(whole.course.days) >= DAYS_FOR_RATES:
        yield from _of_many_days(whole)
    yield from _of_trips(whole)


def _of_window(summary: Summary, name: str) -> Iterator[Ratio]:
    scope = window_of(summary)
    yield Ratio(
        f"Return {name}, time-weighted", summary.time_weighted, "%",
        "daily returns by Modified Dietz, chained: how the money was run", f"return@{scope}",
    )  # fmt: skip
    yield Ratio(
        f"Return {name}, money-weighted", summary.money_weighted, "%",
        "internal rate of all payments over that time: how your dollars did", f"money_weighted@{scope}",
    )  # fmt: skip
    against = summary.benchmark
    if against is not None and against.first is not None and against.last is not None:
        days = f"close of {against.first} to close of {against.last}"
        yield Ratio(
            f"{summary.benchmark_name} {name}", against.benchmark_return, "%", days, f"benchmark.return@{scope}"
        )
        if against.days < len(summary.course.days):
            yield Ratio(
                f"This account from {against.first} to {against.last}", against.own_return, "%",
                f"the days on which {summary.benchmark_name} has closes", f"benchmark.own_return@{scope}",
            )  # fmt: skip
    yield Ratio(
        f"Worst drawdown {name}", summary.drawdown_worst, "%",
        "deepest point below the high-water mark, at any reading", f"worst_drawdown@{scope}",
    )  # fmt: skip


def _of_many_days(whole: Summary) -> Iterator[Ratio]:
    r, free = whole.ratios, f"above {whole.risk_free_rate:.1%} a year, " if whole.risk_free_rate else ""
    scope = window_of(whole)
    rows = [
        Ratio("Return a year, time-weighted", whole.annual_time_weighted, "%", "of 365 days; only after a whole year",
              f"annual_return@{scope}"),
        Ratio("Volatility", r.volatility, "share", "deviation of daily returns, × √252", f"volatility@{scope}"),
        Ratio("Sharpe", r.sharpe, "", f"{free}mean over deviation of daily returns, × √252", f"sharpe@{scope}"),
        Ratio("Sortino", r.sortino, "", "as Sharpe, over downside deviation", f"sortino@{scope}"),
        Ratio("Calmar", r.calmar, "", "return a year over the worst drawdown of daily closes", f"calmar@{scope}"),
        Ratio("Value at risk, a day", r.value_at_risk, "%", "one day in twenty was worse", f"value_at_risk@{scope}"),
        Ratio("Expected shortfall, a day", r.conditional_value_at_risk, "%", "mean of those days",
              f"conditional_value_at_risk@{scope}"),
        Ratio("Best day", r.best_day, "%", "", f"best_day@{scope}"),
        Ratio("Worst day", r.worst_day, "%", "", f"worst_day@{scope}"),
    ]  # fmt: skip
    yield from (row for row in rows if row.value is not None)
    if whole.benchmark is not None:
        b, name = whole.benchmark, whole.benchmark_name
        against = [
            Ratio(f"Beta to {name}", b.beta, "", "covariance over the benchmark's variance, same days",
                  f"benchmark.beta@{scope}"),
            Ratio("Alpha", b.alpha, "%", "a year, of daily returns", f"benchmark.alpha@{scope}"),
            Ratio("Tracking error", b.tracking_error, "share",
                  "deviation of the difference of daily returns, × √252", f"benchmark.tracking_error@{scope}"),
        ]  # fmt: skip
        yield from (row for row in against if row.value is not None)


def _of_trips(whole: Summary) -> Iterator[Ratio]:
    t, scope = whole.trips, window_of(whole)
    if not t.trips:
        return
    since = "" if whole.first is None else f" since {whole.first}"
    yield Ratio(
        f"Round trips won{since}", t.win_rate, "share", f"{t.won} won, {t.lost} lost; after fees, {whole.lot_method}",
        f"trips.win_rate@{scope}",
    )  # fmt: skip
    if t.profit_factor is not None:
        note = "dollars won over dollars lost, of round trips"
        yield Ratio("Profit factor", t.profit_factor, "", note, f"trips.profit_factor@{scope}")
    if t.expectancy is not None:
        yield Ratio("Profit a round trip", float(t.expectancy), "USD", "mean, after fees", f"trips.expectancy@{scope}")
    if t.held_seconds is not None and t.held_seconds >= DAY_SECONDS:
        held = t.held_seconds / DAY_SECONDS
        yield Ratio("Average holding time", held, "days", "of round trips")
