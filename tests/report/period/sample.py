"""A realistic edition: one day of 78 slots on top of three years of history, and the means to bend it."""

# ruff: noqa: E501 - the tables of this file are read as rows

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np

from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.performance.drift import Drift
from rebalancer.performance.history import Drawdown, HistogramBar, Year
from rebalancer.performance.risk.factors import NO_SIZES, Bet
from rebalancer.performance.risk.pairs import CorrelatedPair
from rebalancer.performance.round_trips import RoundTrip
from rebalancer.performance.shortfall import ExecutionQuality
from rebalancer.report.period.book_risk import Risk
from rebalancer.report.period.records import (
    AlertRow,
    Guarded,
    Idle,
    PeriodReport,
    SlotRow,
    TradeLine,
)
from rebalancer.report.period.results import (
    BookDay,
    BridgeLine,
    BridgeSection,
    ClosedBooks,
    Contribution,
    Performance,
    Ratio,
)
from rebalancer.report.period.run_health import Effort, Requests, StepTime
from rebalancer.report.records import Point, RuleChange
from tests.report.sample import sample_record

D = Decimal
DAY = date(2026, 11, 20)
OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def slots() -> tuple[SlotRow, ...]:
    """A full day: traded at the open, at noon and late, one slot missed, one halted, the rest holding."""
    found = []
    for number in range(78):
        at = OPEN + timedelta(minutes=5 * number)
        name = f"{at:%Y-%m-%dT%H:%MZ}"
        outcome, because, orders, filled = CycleOutcome.HOLDING, "positions match their targets", 0, 0
        if number in (0, 1, 30, 31, 70):
            outcome, because, orders, filled = CycleOutcome.COMPLETED, "4 of 4 orders filled", 4, 4 - number % 2
        elif number == 12:
            outcome, because = CycleOutcome.MISSED, "no process was there"
        elif number == 50:
            outcome, because = CycleOutcome.HALTED_STALE_QUOTES, "14 of 25 names have no usable price"
        page = f"2026-11-20_{at:%H%M}_paper_{at:%Y%m%dT%H%MZ}.html" if orders else ""
        took = None if outcome is CycleOutcome.MISSED else 0.5 + number / 20
        found.append(SlotRow(name, at, outcome, because, orders, filled, page, took))
    return tuple(found)


def performance(days: int = 756) -> Performance:
    """Three years of daily growth from a seed, with a benchmark that began later."""
    rng = np.random.default_rng(7)
    dates: list[date] = []
    day = DAY
    while len(dates) < days:
        if day.weekday() < 5:
            dates.append(day)
        day -= timedelta(days=1)
    dates.reverse()
    growth = np.exp(np.cumsum(rng.normal(0.0004, 0.008, days)))
    growth /= growth[0]
    other = np.exp(np.cumsum(rng.normal(0.0003, 0.009, days)))
    drawdown = growth / np.maximum.accumulate(growth) - 1
    benchmark = tuple(None if i < 20 else float(v) for i, v in enumerate(other / other[0]))
    years = sorted({d.year for d in dates})
    months = tuple(
        Year(y, tuple(None if (y, m) > (2026, 11) else math.sin(y * m) / 30 for m in range(1, 13)), math.cos(y) / 9)
        for y in years
    )
    ratios = (
        Ratio("Return, time-weighted", float(growth[-1] - 1), "%", "product of daily returns, flows left out"),
        Ratio("Return, money-weighted", 0.0831, "%", "internal rate of all payments, annual"),
        Ratio("Sharpe", 1.1552, "", "mean over deviation of daily returns, x sqrt(252)"),
        Ratio("Sortino", None, "", "needs a losing day"),
        Ratio("Worst drawdown", float(drawdown.min()), "%", "largest fall from a peak"),
        Ratio("Profit factor", 1.42, "", "sum of gains / sum of losses of round trips"),
        Ratio("Average holding time", 3.2, "days", "of closed round trips"),
    )
    return Performance(
        tuple(dates), tuple(map(float, growth)), tuple(map(float, drawdown)), "SPY", benchmark, months, ratios,
        tuple(None if i < 19 else 0.12 + 0.03 * math.sin(i / 40) for i in range(days)),
        tuple(None if i < 59 else 1.5 * math.sin(i / 70) for i in range(days)),
        (
            Drawdown(date(2025, 3, 4), date(2025, 4, 8), date(2025, 7, 1), -0.1123, 82),
            Drawdown(date(2026, 10, 1), date(2026, 11, 2), None, -0.0731, 37),
        ),
        tuple(HistogramBar(n * 0.005, (n + 1) * 0.005, round(240 * math.exp(-(n + 0.5) ** 2 / 4))) for n in range(-5, 5)),
        date(2023, 12, 29), float(growth[-1] - 1), 0.2831, 0.0021,
        tuple(None if i < 80 else 0.9 + 0.2 * math.sin(i / 50) for i in range(days)),
    )  # fmt: skip


def book(days: int = 60) -> tuple[BookDay, ...]:
    """The book at the end of so many weekdays: long 80 to 110 % of equity, a short position on some, three sectors."""
    found, day = [], DAY
    while len(found) < days:
        if day.weekday() < 5:
            number = len(found)
            equity = D("98404.11") - 37 * number
            long = equity * (D("0.95") + D(number % 30) / 200)
            short = D("2417.19") if number % 20 > 14 else D(0)
            sectors = {"Energy": long * D("0.2") + short, "Health care": long * D("0.3"), "Technology": long * D("0.5")}
            cents = {name: value.quantize(D("0.01")) for name, value in sectors.items()}
            found.append(BookDay(day, equity, equity - long + short, long.quantize(D("0.01")), short, cents))
        day -= timedelta(days=1)
    return tuple(reversed(found))


def edition(**changes: object) -> PeriodReport:
    """The day of 2026-11-20 on the paper account of the cycle sample."""
    latest = sample_record()
    lines = tuple(
        TradeLine(OPEN + timedelta(minutes=5 * i), latest.snapshot.cycle_id, line, str(order.because))
        for i, (line, order) in enumerate(zip(latest.orders, latest.plan.orders, strict=False))
    )
    symbols = [line.line.symbol for line in lines]
    plain = PeriodReport(
        period="day",
        first=DAY,
        last=DAY,
        mode="paper",
        account_id="PA3ABCDEF7Q2",
        version="0.1.0",
        made_at=datetime(2026, 11, 20, 21, 5, tzinfo=UTC),
        equity=D("98404.11"),
        equity_before=D("97512.34"),
        peak_equity=D("101200.00"),
        cash=D("31022.40"),
        capital=D("196808.22"),
        flows=D("500.00"),
        slots=slots(),
        trades=lines,
        idle=(
            Idle("BRK.B", Outcome.HELD_WITHIN_BAND, "drift 0.02 pp is inside the band of 0.29 pp", 76),
            Idle("LLY", Outcome.DENIED_BUYING_POWER, "1,204.18 USD left, one share costs 1,059.70 plus reserve", 3),
        ),
        alarms=(
            AlertRow(OPEN + timedelta(minutes=61), "warning", "slot 15:30 was missed: no process was there"),
            AlertRow(OPEN + timedelta(minutes=251), "action", "prices of 14 of 25 names are stale"),
        ),
        latest=latest,
        bridge=BridgeSection(
            D("97512.34"),
            (
                BridgeLine("Price moves", D("402.19")),
                BridgeLine("Dividends and interest", D("4.20")),
                BridgeLine("Fees", D("-0.31")),
                BridgeLine("Slippage", D("-14.31")),
                BridgeLine("Deposits and withdrawals", D("500.00")),
            ),
            D("0.00"),
            D("98404.11"),
            by_prices=True,
        ),
        contributions=tuple(Contribution(s, D(i * 37 - 150) / 4) for i, s in enumerate(symbols)),
        performance=performance(),
        quality=tuple(ExecutionQuality(s, 1, D(4000 + i), 2.5 - i, 1.0, 3.1, D(0), 0.42) for i, s in enumerate(symbols)),
        quality_by_hour=(
            ExecutionQuality("09", 6, D(21000), 4.2, 3.9, 5.0, D(0), 0.61),
            ExecutionQuality("12", 4, D(9000), 1.2, 0.9, 2.0, D(0), None),
        ),
        gaps=(
            Drift("CAT", 0.0459, 0.0261, 0.0264, {"unfilled": -0.0176, "rounding": -0.0022, "price_move": 0.0003}),
            Drift("MSFT", 0.0722, 0.0726, 0.0729, {"band": 0.0004, "price_move": 0.0003}),
        ),
        guarded=(
            Guarded("AAPL", D(45), D("231.07"), D("268.44"), D("224.14"), D("242.62"), "at the broker"),
            Guarded("NVDA", D(60), D("121.75"), None, D("118.10"), None, "watched here"),
        ),
        trips=(
            RoundTrip("COST", "long", D(8), D("912.45"), D("898.96"), OPEN - timedelta(days=9), OPEN, D("7299.60"), D("-107.90"),
                 D("0.02"), None, "external", "", "us_equity", "calm, rising", "neutral signal"),
            RoundTrip("XOM", "short", D("12.5"), D("117.10"), D("116.02"), OPEN, OPEN + timedelta(hours=3), D("1463.75"), D("13.50"),
                 D("0.02"), None, "held before", "", "us_equity", "", "score -0.20 x confidence 0.80"),
        ),
        through_the_day=tuple(
            Point(OPEN + timedelta(minutes=5 * n, seconds=9), D("97512.34") + round(D(400 * math.sin(n / 25)), 2), -0.0364 + 0.004 * math.sin(n / 25))
            for n in range(78)
        ),
        book=book(),
        sessions=((OPEN, OPEN + timedelta(hours=6, minutes=30)),),
        books=(ClosedBooks(DAY, datetime(2026, 11, 20, 21, 2, tzinfo=UTC), 14, ()),),
        effort=Effort(
            cycles=75,
            unrecorded=2,
            steps=tuple(
                StepTime(step, 75 if number in (0, 1, 2, 7, 9) else 5, took, took * 3, OPEN + timedelta(minutes=5 * number))
                for number, (step, took) in enumerate(
                    {"read": 0.412, "plan": 0.031, "journal": 0.012, "reduce": 0.2, "wait": 1.504, "fund": 0.09,
                     "increase": 0.31, "look_after": 0.288, "failed": 2.0, "all": 1.201}.items()
                )
            ),
            requests=Requests(1204, 38, 5, 2, 1, 3, 1204),
            feeds=("iex",),
            oldest_quote_seconds=41.217,
        ),
        risk=Risk(
            names=14,
            net=0.8123,
            gross=1.1045,
            largest="AAPL",
            largest_share=0.1312,
            top_five=0.4821,
            hhi=0.0842,
            effective=1 / 0.0842,
            volatility=0.1534,
            estimator="sample deviation (n - 1) of daily simple returns at the weights held, x sqrt(252)",
            pairs=(
                CorrelatedPair("MSFT", "NVDA", 0.8312, False), CorrelatedPair("AAPL", "MSFT", 0.7421, False), CorrelatedPair("CVX", "XOM", 0.7105, True),
            ),
            benchmark="SPY",
            beta=0.9312,
            beta_days=118,
            bets=(
                Bet("market", "", 0.9312, 0.0411, 118), Bet("sector", "Technology", 0.4125, 0.0631, 118),
                Bet("momentum", "", 0.2218, 0.0524, 118), Bet("low_volatility", "", days=31, because="needs 40 days, has 31"),
                Bet("size", because=NO_SIZES),
            ),
            days=120,
            first=date(2026, 6, 1),
            last=date(2026, 11, 19),
            covered=0.9712,
            left_out=("ARM", "RDDT"),
            correlated=("AAPL", "MSFT", "NVDA", "CVX", "XOM"),
            correlations=((1.0,), (0.7421, 1.0), (0.6918, 0.8312, 1.0), (0.1204, 0.0731, -0.0512, 1.0), (0.0988, None, -0.1033, 0.7105, 1.0)),
        ),
        rules_changed={"risk_management.max_daily_loss": RuleChange(0.02, 0.015)},
        next_run=datetime(2026, 11, 23, 14, 30, tzinfo=UTC),
        next_run_here="Mon 15:30 CET",
    )  # fmt: skip
    return plain._replace(**changes)  # type: ignore[arg-type]  # a test names fields of its own
