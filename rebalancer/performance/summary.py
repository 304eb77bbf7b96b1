"""One period's performance, everything together: what `rebalancer performance` shows and reports are made from.

Round trips count in the period in which they ended, whenever they began. Times of day and days are New York's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

import numpy as np

from rebalancer.performance import ratios
from rebalancer.performance.fees import NEW_YORK, with_fees
from rebalancer.performance.groups import grouped
from rebalancer.performance.lots import match_lots
from rebalancer.performance.records import DayValue, Fill, Ledger, LotMethod, Story
from rebalancer.performance.regimes import regimes
from rebalancer.performance.returns import (
    Series,
    annual,
    daily_returns,
    drawdowns,
    growth,
    money_weighted,
    time_weighted,
)
from rebalancer.performance.shortfall import Quality, quality, shortfall_of
from rebalancer.performance.stats import TripStats, trip_stats
from rebalancer.performance.trips import Trip, round_trips
from rebalancer.values import ZERO

PERFORMANCE_SCHEMA: Final = "rebalancer.performance/1"
DAYS_FOR_RATES: Final = 20  # daily returns; a rate a year from fewer says nothing
GROUPS: Final = ("symbol", "sector", "source", "asset_class", "regime", "reason", "hour")


class Course(NamedTuple):
    """The account day by day: `growth` of one dollar and the `drawdown` below its high, both after the day."""

    days: tuple[date, ...]
    returns: tuple[float, ...]
    growth: tuple[float, ...]
    drawdown: tuple[float, ...]


class Ratios(NamedTuple):
    """Figures of the daily returns; those a year (the first five) are of 252 days, and None for fewer returns than
    `DAYS_FOR_RATES`. None: too little is known to say."""

    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    omega: float | None
    max_drawdown: float | None
    drawdown_now: float | None
    drawdown_days: int
    value_at_risk: float | None
    conditional_value_at_risk: float | None
    tail_ratio: float | None
    ulcer_index: float | None
    skew: float | None
    kurtosis: float | None
    best_day: float | None
    worst_day: float | None
    days_up: int
    days_down: int


class Money(NamedTuple):
    """USD. `profit` is the change of equity without `flows`; `roi` the profit over the opening and all deposits.
    Dividends, interest, fees and slippage are inside the profit."""

    opening: Decimal | None
    closing: Decimal | None
    flows: Decimal
    profit: Decimal | None
    roi: float | None
    dividends: Decimal
    interest: Decimal
    fees: Decimal
    slippage: Decimal
    traded: Decimal
    turnover: float | None
    exposure_now: float | None
    exposure_mean: float | None


class Summary(NamedTuple):
    """One period. `time_weighted` and `money_weighted` are of the period, `annual_*` a year's and None for less than
    one. `benchmark` is None when there are no closes of the same days."""

    first: date | None
    last: date | None
    lot_method: LotMethod
    risk_free_rate: float
    money: Money
    time_weighted: float | None
    money_weighted: float | None
    annual_time_weighted: float | None
    annual_money_weighted: float | None
    ratios: Ratios
    trips: TripStats
    groups: Mapping[str, Mapping[str, TripStats]]
    by_symbol: tuple[Quality, ...]
    by_hour: tuple[Quality, ...]
    benchmark_name: str
    benchmark: ratios.AgainstBenchmark | None
    course: Course
    schema: Literal["rebalancer.performance/1"] = PERFORMANCE_SCHEMA


class Benchmark(NamedTuple):
    """Daily closes, oldest first."""

    name: str = ""
    days: tuple[date, ...] = ()
    closes: tuple[float, ...] = ()


def trips_of(ledger: Ledger, method: LotMethod, benchmark: Benchmark = Benchmark()) -> tuple[Trip, ...]:  # noqa: B008 - immutable
    """Every round trip of a ledger, oldest first."""
    fills, _ = with_fees(ledger.fills, ledger.cash)
    matched = match_lots((*ledger.inherited, *fills), ledger.shares, method)
    return round_trips(matched.closings, ledger.stories, ledger.sectors, regimes(benchmark.days, benchmark.closes))


def summary_of(
    ledger: Ledger,
    method: LotMethod,
    *,
    risk_free_rate: float = 0.0,
    days: int | None = None,
    benchmark: Benchmark = Benchmark(),  # noqa: B008 - immutable
) -> Summary:
    """The performance of the last `days` calendar days before the newest value, or of everything."""
    last = ledger.days[-1].day if ledger.days else None
    begin = None if days is None or last is None else last - timedelta(days=days)
    opening, opened_on, own = _window(ledger, begin)
    returns = daily_returns(opening, own)
    trips = [t for t in trips_of(ledger, method, benchmark) if begin is None or _day(t.closed_at) > begin]
    fills = [f for f in ledger.fills if begin is None or _day(f.at) > begin]
    stories = [s for s in ledger.stories.values() if begin is None or _day(s.sent_at) > begin]
    weighted, rate = time_weighted(returns), None
    if opening is not None and opened_on is not None and own:
        rate = money_weighted(opening, opened_on, own)
    told = [shortfall_of(story) for story in stories if story.decision_price is not None]
    return Summary(
        first=opened_on,
        last=last,
        lot_method=method,
        risk_free_rate=risk_free_rate,
        money=_money(ledger, begin, opening, own, fills, stories),
        time_weighted=weighted,
        money_weighted=rate,
        annual_time_weighted=None if opened_on is None or last is None else annual(weighted, opened_on, last),
        annual_money_weighted=None if opened_on is None or last is None else annual(rate, opened_on, last),
        ratios=_ratios(returns, risk_free_rate),
        trips=trip_stats(trips),
        groups={name: grouped(trips, name) for name in GROUPS},
        by_symbol=quality(told, lambda one: one.symbol),
        by_hour=quality(told, lambda one: one.hour),
        benchmark_name=benchmark.name,
        benchmark=_compared(opening is not None, opened_on, own, returns, benchmark, risk_free_rate),
        course=_course(own[-len(returns) :] if len(returns) else [], returns),
    )


def _window(ledger: Ledger, begin: date | None) -> tuple[Decimal | None, date | None, Sequence[DayValue]]:
    """The equity that the period begins with, its day, and the days after it."""
    if begin is None:
        return ledger.opening, ledger.opened_on, ledger.days
    before = [day for day in ledger.days if day.day <= begin]
    own = [day for day in ledger.days if day.day > begin]
    if before:
        return before[-1].equity, before[-1].day, own
    return ledger.opening, ledger.opened_on, own


def _money(
    ledger: Ledger,
    begin: date | None,
    opening: Decimal | None,
    own: Sequence[DayValue],
    fills: Sequence[Fill],
    stories: Sequence[Story],
) -> Money:
    cash = [event for event in ledger.cash if begin is None or _day(event.at) > begin]

    def total(*kinds: str) -> Decimal:
        return sum((event.amount for event in cash if event.kind in kinds), ZERO)

    closing = own[-1].equity if own else None
    flows = sum((day.flow for day in own), ZERO)
    profit = None if opening is None or closing is None else closing - opening - flows
    staked = None if opening is None else opening + sum((max(day.flow, ZERO) for day in own), ZERO)
    traded = sum((abs(fill.qty) * fill.price for fill in fills), ZERO)
    mean = sum((day.equity for day in own), ZERO) / len(own) if own else ZERO
    invested = [day.exposure for day in own if day.exposure is not None]
    lost = [shortfall_of(story).decision for story in stories]
    return Money(
        opening=opening,
        closing=closing,
        flows=flows,
        profit=profit,
        roi=float(profit / staked) if profit is not None and staked else None,
        dividends=total("dividend"),
        interest=total("interest"),
        fees=-total("fee", "coin_fee"),
        slippage=sum((cost for cost in lost if cost is not None), ZERO),
        traded=traded,
        turnover=float(traded / mean) if mean > 0 else None,
        exposure_now=invested[-1] if invested else None,
        exposure_mean=float(np.mean(invested)) if invested else None,
    )


def _ratios(returns: Series, risk_free: float) -> Ratios:
    course = growth(returns)
    many = returns.size >= DAYS_FOR_RATES
    return Ratios(
        annual_return=ratios.annual_return(returns) if many else None,
        volatility=ratios.volatility(returns) if many else None,
        sharpe=ratios.sharpe(returns, risk_free) if many else None,
        sortino=ratios.sortino(returns, risk_free) if many else None,
        calmar=ratios.calmar(returns) if many else None,
        omega=ratios.omega(returns, risk_free),
        max_drawdown=ratios.max_drawdown(returns),
        drawdown_now=float(course[-1] / course.max() - 1.0) if returns.size else None,
        drawdown_days=ratios.drawdown_days(returns),
        value_at_risk=ratios.value_at_risk(returns),
        conditional_value_at_risk=ratios.conditional_value_at_risk(returns),
        tail_ratio=ratios.tail_ratio(returns),
        ulcer_index=ratios.ulcer_index(returns),
        skew=ratios.skew(returns),
        kurtosis=ratios.kurtosis(returns),
        best_day=float(returns.max()) if returns.size else None,
        worst_day=float(returns.min()) if returns.size else None,
        days_up=int(np.sum(returns > 0)),
        days_down=int(np.sum(returns < 0)),
    )


def _compared(
    has_opening: bool,
    opened_on: date | None,
    own: Sequence[DayValue],
    returns: Series,
    benchmark: Benchmark,
    risk_free: float,
) -> ratios.AgainstBenchmark | None:
    """Both series over the days of ours at whose beginning and end the benchmark closed."""
    closes = dict(zip(benchmark.days, benchmark.closes, strict=True))
    days = [day.day for day in own]
    befores = [opened_on, *days] if has_opening else days
    pairs = [
        (mine, closes[day] / closes[before] - 1.0)
        for before, day, mine in zip(befores, days if has_opening else days[1:], returns, strict=False)
        if before in closes and day in closes and before != day
    ]
    if not pairs:
        return None
    mine, other = np.array(pairs).T
    return ratios.against(mine, other, risk_free)


def _course(own: Sequence[DayValue], returns: Series) -> Course:
    return Course(
        tuple(day.day for day in own),
        tuple(returns.tolist()),
        tuple(growth(returns)[1:].tolist()),
        tuple(drawdowns(returns).tolist()),
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(NEW_YORK).date()
