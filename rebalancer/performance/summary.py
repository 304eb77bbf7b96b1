"""The complete performance of one period: the basis of `rebalancer performance` and of the reports.

Round trips count towards the period in which they ended. Days and times of day are New York time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer.core.new_york import day_in_new_york, in_new_york
from rebalancer.performance.benchmark import AgainstBenchmark, Benchmark, compared, scaled, span_of_benchmark
from rebalancer.performance.drawdown import drawdown_series
from rebalancer.performance.money import PeriodMoney, money_of
from rebalancer.performance.period_ratios import Ratios, ratios_of
from rebalancer.performance.records import AccountHistory, DayValue, LotMethod
from rebalancer.performance.returns import (
    annual,
    daily_returns,
    drawdowns,
    growth,
    money_weighted,
    time_weighted,
)
from rebalancer.performance.round_trips import RoundTrip, trips_of
from rebalancer.performance.shortfall import ExecutionQuality, quality, shortfall_of
from rebalancer.performance.stats import RoundTripStats, round_trip_stats

PERFORMANCE_SCHEMA: Final = "rebalancer.performance/1"
GROUPS: Final = ("symbol", "sector", "source", "asset_class", "regime", "reason", "hour")


# What round trip statistics can be grouped by.

KEYS: Final[Mapping[str, Callable[[RoundTrip], str]]] = {
    "symbol": lambda trip: trip.symbol,
    "sector": lambda trip: trip.sector,
    "source": lambda trip: trip.source,
    "asset_class": lambda trip: trip.asset_class,
    "regime": lambda trip: trip.regime,
    "side": lambda trip: trip.side,
    "reason": lambda trip: trip.exit_cause or "other",
    "hour": lambda trip: f"{in_new_york(trip.opened_at):%H}:00",
}


class EquityCurve(NamedTuple):
    """The account by day: `growth` of one dollar at the end of the day, `drawdown` at its lowest point below the
    high-water mark, `at_mark` whether it was back there by the end. `benchmark` is on the scale of `growth`, None for a
    day without a close."""

    days: tuple[date, ...]
    returns: tuple[float, ...]
    growth: tuple[float, ...]
    drawdown: tuple[float, ...]
    benchmark: tuple[float | None, ...] = ()
    at_mark: tuple[bool, ...] = ()


class Summary(NamedTuple):
    """One period. `time_weighted` and `money_weighted` are of the period, `annual_*` are annual rates, None for less
    than a year. `benchmark` is None when there are no closes of the same days. `drawdown_now` and `drawdown_worst` are
    fractions below the high-water mark `mark`, USD, zero or less. `execution` is all orders of `by_symbol` together."""

    first: date | None
    last: date | None
    lot_method: LotMethod
    risk_free_rate: float
    money: PeriodMoney
    time_weighted: float | None
    money_weighted: float | None
    annual_time_weighted: float | None
    annual_money_weighted: float | None
    ratios: Ratios
    trips: RoundTripStats
    groups: Mapping[str, Mapping[str, RoundTripStats]]
    by_symbol: tuple[ExecutionQuality, ...]
    by_hour: tuple[ExecutionQuality, ...]
    benchmark_name: str
    benchmark: AgainstBenchmark | None
    course: EquityCurve
    drawdown_now: float | None = None
    drawdown_worst: float | None = None
    mark: Decimal | None = None
    execution: ExecutionQuality | None = None
    schema: Literal["rebalancer.performance/1"] = PERFORMANCE_SCHEMA


def summary_of(
    ledger: AccountHistory,
    method: LotMethod,
    *,
    risk_free_rate: float = 0.0,
    days: int | None = None,
    benchmark: Benchmark = Benchmark(),  # noqa: B008 - immutable
) -> Summary:
    """The performance of the last `days` calendar days before the newest value, or of the whole history."""
    last = ledger.days[-1].day if ledger.days else None
    begin = None if days is None or last is None else last - timedelta(days=days)
    opening, opened_on, own = _window(ledger, begin)
    returns = daily_returns(opening, own)
    course = list(own[-len(returns) :]) if len(returns) else []
    days_known = [day.day for day in course]
    span = span_of_benchmark(benchmark, opened_on, days_known)
    readings = [r for r in ledger.readings if begin is None or day_in_new_york(r.at) > begin]
    below = drawdown_series(days_known, readings, _by_close(ledger, course))
    trips = [t for t in trips_of(ledger, method, benchmark) if begin is None or day_in_new_york(t.closed_at) > begin]
    fills = [f for f in ledger.fills if begin is None or day_in_new_york(f.at) > begin]
    histories = [s for s in ledger.order_histories.values() if begin is None or day_in_new_york(s.sent_at) > begin]
    weighted, rate = time_weighted(returns), None
    if opening is not None and opened_on is not None and own:
        rate = money_weighted(opening, opened_on, own)
    shortfalls = [shortfall_of(history) for history in histories if history.decision_price is not None]
    return Summary(
        first=opened_on,
        last=last,
        lot_method=method,
        risk_free_rate=risk_free_rate,
        money=money_of(ledger, begin, opening, own, fills),
        time_weighted=weighted,
        money_weighted=rate,
        annual_time_weighted=None if opened_on is None or last is None else annual(weighted, opened_on, last),
        annual_money_weighted=None if opened_on is None or last is None else annual(rate, opened_on, last),
        ratios=ratios_of(returns, risk_free_rate),
        trips=round_trip_stats(trips),
        groups={name: grouped(trips, name) for name in GROUPS},
        by_symbol=quality(shortfalls, lambda one: one.symbol),
        by_hour=quality(shortfalls, lambda one: one.hour),
        benchmark_name=benchmark.name,
        benchmark=compared(span, days_known, returns, risk_free_rate),
        course=EquityCurve(
            tuple(days_known),
            tuple(returns.tolist()),
            tuple(growth(returns)[1:].tolist()),
            below.lows,
            scaled(span, growth(returns)[1:].tolist()),
            below.at_mark,
        ),
        drawdown_now=below.now,
        drawdown_worst=below.worst,
        mark=below.mark,
        execution=next(iter(quality(shortfalls, lambda _: "All")), None),
    )


def _window(ledger: AccountHistory, begin: date | None) -> tuple[Decimal | None, date | None, Sequence[DayValue]]:
    """The opening equity of the period, its date, and the days after it."""
    if begin is None:
        return ledger.opening, ledger.opened_on, ledger.days
    before = [day for day in ledger.days if day.day <= begin]
    own = [day for day in ledger.days if day.day > begin]
    if before:
        return before[-1].equity, before[-1].day, own
    return ledger.opening, ledger.opened_on, own


def _by_close(ledger: AccountHistory, course: Sequence[DayValue]) -> list[float]:
    """The drawdown at the close of these days, the last of the history; the highest value so far counts, also one from
    before them."""
    whole: list[float] = drawdowns(daily_returns(ledger.opening, ledger.days)).tolist()
    return whole[len(whole) - len(course) :]


def grouped(trips: Sequence[RoundTrip], name: str) -> dict[str, RoundTripStats]:
    """Statistics by group for one key (see `KEYS`). Every round trip is in exactly one group."""
    groups: defaultdict[str, list[RoundTrip]] = defaultdict(list)
    for trip in trips:
        groups[KEYS[name](trip)].append(trip)
    return {group: round_trip_stats(groups[group]) for group in sorted(groups)}
