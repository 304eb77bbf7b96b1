"""What the screen and the tables say of few days, and of a stored sheet of the benchmark's closes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.cli.performance import screen
from rebalancer.market_data.benchmarks import benchmark_of
from rebalancer.market_data.reference import REFERENCE_SCHEMA
from rebalancer.market_data.stored_closes import REFERENCE_FILE
from rebalancer.performance.period_ratios import DAYS_FOR_RATES, Ratios
from rebalancer.performance.records import AccountHistory, DayValue, Fill
from rebalancer.performance.round_trips import trips_of
from rebalancer.performance.summary import summary_of
from rebalancer.report.figures.of_performance import figures_of_performance

FIRST = date(2026, 9, 1)
RATES = ("annual_return", "volatility", "sharpe", "sortino", "calmar")


def ledger(days: int) -> AccountHistory:
    """An account of a million that goes up by 900 and down by 700 dollars in turn."""
    equity = [Decimal(1_000_000 + 200 * (n // 2) + 900 * (n % 2)) for n in range(1, days + 1)]
    values = tuple(DayValue(FIRST + timedelta(days=n), e, cash=e / 2) for n, e in enumerate(equity, start=1))
    return AccountHistory(opening=Decimal(1_000_000), opened_on=FIRST, days=values)


@pytest.mark.parametrize("days", [DAYS_FOR_RATES - 1, DAYS_FOR_RATES])
def test_a_rate_a_year_needs_days(days: int) -> None:
    summary = summary_of(ledger(days), "fifo")
    known = {name for name in Ratios._fields if getattr(summary.ratios, name) is not None}
    assert known & set(RATES) == (set(RATES) if days == DAYS_FOR_RATES else set())
    figures = figures_of_performance(summary, None, None, None)
    shown = screen(summary, figures, None, "paper", width=80, colour=False)
    assert shown.count("– needs 20 days") == (0 if days == DAYS_FOR_RATES else 4)
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "…" not in shown


def test_a_trip_gets_its_regime_from_the_stored_closes(tmp_path: Path) -> None:
    days = [FIRST + timedelta(days=n) for n in range(240)]
    closes = [100 + n + n % 3 for n in range(240)]
    part = {"days": [day.isoformat() for day in days], "closes": {"SPY": closes}}
    sheet = {"schema": REFERENCE_SCHEMA, "days": [], "closes": {}, "benchmark": part}
    (tmp_path / REFERENCE_FILE).write_text(json.dumps(sheet))
    early, late = (datetime(d.year, d.month, d.day, 15, tzinfo=UTC) for d in (days[20], days[235]))
    fills = tuple(
        Fill(f"{at}{qty}", f"{at}{qty}", at + timedelta(hours=hours), "KO", Decimal(qty), Decimal(70))
        for at in (early, late)
        for qty, hours in ((1, 0), (-1, 1))
    )
    trips = trips_of(AccountHistory(fills=fills), "fifo", benchmark_of(tmp_path, "SPY"))
    assert [trip.regime == "unknown" for trip in trips] == [True, False]
    assert [trip.regime for trip in trips_of(AccountHistory(fills=fills), "fifo", benchmark_of(tmp_path, "QQQ"))] == [
        "unknown",
        "unknown",
    ]
