"""How the account performed: its growth, its figures with their method, and the round trips that ended in the
period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from rebalancer.performance import history
from rebalancer.performance.benchmark import Benchmark
from rebalancer.performance.records import UNKNOWN
from rebalancer.performance.round_trips import RoundTrip, trips_of
from rebalancer.performance.summary import Summary, summary_of
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.results import Performance, Point, Ratio

DAYS_FOR_RATIOS: Final = 20  # with fewer days an annualised figure is meaningless
HELD_BEFORE: Final = "held before"  # held when the records began: its entry is unknown
DAY_SECONDS: Final = 86_400
PERIOD_NAME: Final = {"day": "this day", "week": "this week", "month": "this month", "year": "this year"}


def performance(source: Source) -> Performance | None:
    """The performance from the start of the records to the end of the period. None before the first recorded day."""
    ledger, reporting = source.ledger, source.rules.reporting
    if not ledger.days:
        return None
    whole = summary_of(
        ledger, reporting.lot_method, risk_free_rate=reporting.risk_free_rate, benchmark=source.benchmark
    )
    course = whole.course
    if not course.days:
        return None
    compared = _scaled(source.benchmark, whole)
    return Performance(
        days=course.days,
        growth=course.growth,
        drawdown=course.drawdown,
        benchmark_name=source.benchmark.name if any(v is not None for v in compared) else "",
        benchmark=compared,
        months=history.years_of(course.days, course.returns),
        ratios=tuple(_ratios(source, whole)),
        rolling_volatility=history.rolling_volatility(course.returns),
        rolling_sharpe=history.rolling_sharpe(course.returns, reporting.risk_free_rate),
        falls=history.worst_drawdowns(course.days, course.returns),
        distribution=history.distribution(course.returns),
        since=whole.first,
        total=whole.time_weighted,
        money_weighted=whole.money_weighted,
        benchmark_change=_benchmark_return(source.benchmark, source.span.first, course.days[-1]),
    )


def through_the_day(source: Source) -> tuple[Point, ...]:
    """The equity after every cycle of a day, excluding deposits and withdrawals since the day began."""
    if source.span.period != "day":
        return ()
    begins = source.span.begins
    return tuple(
        Point(c.ended_at or c.started_at, c.equity - source.flow_between(begins, c.ended_at or c.started_at))
        for c in source.own
        if c.equity is not None
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
        )
        for t in found
        if source.span.holds(t.closed_at)
    )


def _scaled(benchmark: Benchmark, whole: Summary) -> tuple[float | None, ...]:
    """The benchmark on the scale of growth: 1.0 at its close on the day on which the account's performance begins, or
    at the last close before that."""
    days = whole.course.days
    closes = dict(zip(benchmark.days, benchmark.closes, strict=True))
    start = whole.first if whole.first is not None and whole.first < days[0] else days[0] - timedelta(days=1)
    base = next((closes[d] for d in reversed(benchmark.days) if d <= start), None)
    if base is None:
        base = next((closes[d] for d in days if d in closes), None)
    return tuple(closes[d] / base if base and d in closes else None for d in days)


def _ratios(source: Source, whole: Summary) -> Iterator[Ratio]:
    """The rows of "in figures": returns always, annualised figures only when there are enough days."""
    ledger, span, reporting = source.ledger, source.span, source.rules.reporting
    assert whole.last is not None
    own_days = (whole.last - span.first).days + 1
    if span.period != "all" and own_days > 0:
        period = summary_of(ledger, reporting.lot_method, days=own_days, benchmark=source.benchmark)
        name = PERIOD_NAME[span.period]
        yield Ratio(f"Return {name}", period.time_weighted, "%", "time-weighted: deposits and withdrawals left out")
        against = _benchmark_return(source.benchmark, span.first, whole.last)
        if against is not None:
            yield Ratio(f"{source.benchmark.name} {name}", against, "%", "its close over its close before the period")
    since = "" if whole.first is None else f" since {whole.first}"
    yield Ratio(
        f"Return{since}, time-weighted", whole.time_weighted, "%",
        "daily returns by Modified Dietz, chained: how the money was run",
    )  # fmt: skip
    yield Ratio(
        f"Return{since}, money-weighted", whole.money_weighted, "%",
        "internal rate of all payments over that time: how your dollars did",
    )  # fmt: skip
    if len(whole.course.days) >= DAYS_FOR_RATIOS:
        yield from _of_many_days(whole)
    yield from _of_trips(whole)


def _of_many_days(whole: Summary) -> Iterator[Ratio]:
    r, free = whole.ratios, f"above {whole.risk_free_rate:.1%} a year, " if whole.risk_free_rate else ""
    rows = [
        Ratio("Return a year, time-weighted", whole.annual_time_weighted, "%", "of 365 days; only after a whole year"),
        Ratio("Volatility", r.volatility, "share", "deviation of daily returns, × √252"),
        Ratio("Sharpe", r.sharpe, "", f"{free}mean over deviation of daily returns, × √252"),
        Ratio("Sortino", r.sortino, "", "as Sharpe, over downside deviation"),
        Ratio("Calmar", r.calmar, "", "return a year over the worst drawdown"),
        Ratio("Worst drawdown", r.max_drawdown, "%", "deepest fall below an earlier high"),
        Ratio("Drawdown now", r.drawdown_now, "%", "below the highest day so far"),
        Ratio("Value at risk, a day", r.value_at_risk, "%", "one day in twenty was worse"),
        Ratio("Expected shortfall, a day", r.conditional_value_at_risk, "%", "mean of those days"),
        Ratio("Best day", r.best_day, "%"),
        Ratio("Worst day", r.worst_day, "%"),
    ]
    yield from (row for row in rows if row.value is not None)
    if whole.benchmark is not None:
        b, name = whole.benchmark, whole.benchmark_name
        against = [
            Ratio(f"Beta to {name}", b.beta, "", "covariance over the benchmark's variance, same days"),
            Ratio("Alpha", b.alpha, "%", "a year, of daily returns"),
            Ratio("Tracking error", b.tracking_error, "share", "deviation of the difference of daily returns, × √252"),
        ]
        yield from (row for row in against if row.value is not None)


def _of_trips(whole: Summary) -> Iterator[Ratio]:
    t = whole.trips
    if not t.trips:
        return
    yield Ratio("Round trips won", t.win_rate, "share", f"{t.won} won, {t.lost} lost; after fees, {whole.lot_method}")
    if t.profit_factor is not None:
        yield Ratio("Profit factor", t.profit_factor, "", "dollars won over dollars lost, of round trips")
    if t.expectancy is not None:
        yield Ratio("Profit a round trip", float(t.expectancy), "USD", "mean, after fees")
    if t.held_seconds is not None and t.held_seconds >= DAY_SECONDS:
        yield Ratio("Average holding time", t.held_seconds / DAY_SECONDS, "days", "of round trips")


def _benchmark_return(benchmark: Benchmark, first: date, last: date) -> float | None:
    before = [c for d, c in zip(benchmark.days, benchmark.closes, strict=True) if d < first]
    own = [c for d, c in zip(benchmark.days, benchmark.closes, strict=True) if first <= d <= last]
    return own[-1] / before[-1] - 1.0 if before and own else None
