"""The charts of a period's page, by name, in the order of their importance: when the page gets too heavy, the tables of
the last ones move to a page of their own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Final

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import ZERO
from rebalancer.performance.history import SHARPE_DAYS, VOLATILITY_DAYS
from rebalancer.report.charting.axis import days_axis
from rebalancer.report.charting.bars import Bin, Heads, RowBar, histogram, row_chart, waterfall_chart
from rebalancer.report.charting.grids import heat_chart
from rebalancer.report.charting.lines import Line, Lines, Marks, line_chart, stacked_chart
from rebalancer.report.charting.records import Charted, Extra, NoChart, needs
from rebalancer.report.figures.figure import Figures
from rebalancer.report.numbers import fixed
from rebalancer.report.period.records import PeriodReport, TradeLine
from rebalancer.report.period.results import BookDay, Performance
from rebalancer.report.pictures import BELOW, ROWS_SHOWN, allocation_charts, return_by_hour, slippage_charts
from rebalancer.report.visible import visible_symbol

HISTOGRAM_LEAST: Final = 20
DAYS_LEAST: Final = 2
MATRIX_MOST: Final = 25  # names of the correlation matrix; the largest holdings
MONTHS_SHOWN: Final = 12
MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS_OF_MONTH: Final = tuple(str(day) for day in range(1, 32))


def charts_of(edition: PeriodReport, figures: Figures) -> dict[str, Charted]:
    """Every chart that the page of this period shows, and the reason for every one that needs more data."""
    found: dict[str, Charted] = {"equity": _equity(edition, figures)}
    if edition.latest is not None:
        found |= allocation_charts(edition.latest)
    if edition.bridge is not None:
        found["bridge"] = _bridge(edition, figures)
    if edition.contributions:
        found |= _contributions(edition, figures)
    found |= {"exposure": _exposure(edition.book), "sectors": _sectors(edition.book)}
    if edition.trades:
        found |= slippage_charts([(trade.at, trade.line) for trade in edition.trades])
    if edition.risk is not None:
        found["correlation"] = _correlation(edition)
    if edition.performance is not None:
        found |= _performance(edition, edition.performance, figures)
    return found


def _equity(edition: PeriodReport, figures: Figures) -> Charted:
    points, before = edition.through_the_day, edition.equity_before
    if len(points) >= DAYS_LEAST and before is not None and before > ZERO:
        orders = [(trade.at, trade.line) for trade in edition.trades]
        title = "Return of the day, and orders" if edition.period == "day" else "Return of the week, and orders"
        return return_by_hour(title, points, before, edition.sessions or _last_session(edition), orders)
    if edition.period == "day":
        return needs("Return of the day", DAYS_LEAST, len(points), "reading")
    return _equity_by_day(edition, figures)


def _last_session(edition: PeriodReport) -> tuple[tuple[datetime, datetime], ...]:
    """The hours of the market that the last cycle saw."""
    latest = edition.latest
    return () if latest is None else ((latest.snapshot.session.open, latest.snapshot.session.close),)


def _equity_by_day(edition: PeriodReport, figures: Figures) -> Charted:
    """The days of the period, from the close before it; benchmark and account begin together."""
    title, performance = "Return of the period, and orders", edition.performance
    if performance is None:
        return needs(title, DAYS_LEAST, 0)
    start, end = _window(performance.days, edition.first, edition.last)
    days = performance.days[start:end]
    growth, other = _rebased(performance, start, end)
    lines = [Line("This account", growth)]
    if any(value is not None for value in other):
        lines.append(Line(performance.benchmark_name, other))
    lows = [f"worst_drawdown[{day}]" for day in days]
    ids = [figures[name].id if name in figures else "" for name in lows]
    below = Line(BELOW, performance.drawdown[start:end], "percent", filled=True, figures=ids)
    midnights = [day.isoformat() for day in days]
    return line_chart(
        title,
        days_axis(days),
        [Lines(lines), Lines([below], BELOW, "low")],
        marks=_marks_by_day(edition.trades, midnights),
    )


def _rebased(performance: Performance, start: int, end: int) -> tuple[list[float], list[float | None]]:
    """Returns of account and benchmark since the close before the first of these days, or since the first common
    day."""
    base = performance.growth[start - 1] if start else 1.0
    growth = [value / base - 1.0 for value in performance.growth[start:end]]
    other = performance.benchmark[start:end]
    before = performance.benchmark[start - 1] if start and performance.benchmark else None
    if before is None and not start:
        return growth, [None if value is None else value - 1.0 for value in other]
    first = next((i for i, value in enumerate(other) if value is not None), None)
    if before is None:
        if first is None:
            return growth, [None] * len(growth)
        scale = (1.0 + growth[first]) / (other[first] or 1.0)
    else:
        scale = 1.0 / before
    return growth, [None if value is None else value * scale - 1.0 for value in other]


def _window(days: Sequence[date], first: date, last: date) -> tuple[int, int]:
    return bisect_left(days, first), len([day for day in days if day <= last])


def _marks_by_day(trades: Sequence[TradeLine], days: Sequence[str]) -> Marks:
    buys, sells = [0] * len(days), [0] * len(days)
    places = {day: number for number, day in enumerate(days)}
    for trade in trades:
        at = places.get(day_in_new_york(trade.at).isoformat())
        if trade.line.filled_qty and at is not None:
            (buys if trade.line.side == "buy" else sells)[at] += 1
    return Marks(buys, sells)


def _bridge(edition: PeriodReport, figures: Figures) -> Charted:
    bridge = edition.bridge
    assert bridge is not None
    steps = [RowBar(line.label, float(line.amount)) for line in bridge.lines]
    if bridge.unexplained:
        steps.append(RowBar("Unexplained", float(bridge.unexplained), figure=figures["bridge.unexplained"].id))
    change = RowBar("Change of equity", float(bridge.closing - bridge.opening))
    return waterfall_chart(
        "From the equity before to the equity now", steps, "usd_signed", change, Heads("Step", "Amount")
    )


def _contributions(edition: PeriodReport, figures: Figures) -> dict[str, Charted]:
    """Every symbol, the largest profit first; of very many those in the middle apart."""
    ranked = sorted(edition.contributions, key=lambda one: (-one.amount, one.symbol))
    rows = [
        RowBar(visible_symbol(one.symbol), float(one.amount), figure=figures[f"contribution[{one.symbol}]"].id)
        for one in ranked
    ]
    half = ROWS_SHOWN // 2
    groups = {"contributions": ("Profit and loss by symbol", rows)}
    if len(rows) > ROWS_SHOWN:
        groups = {
            "contributions": (f"Profit and loss: the {half} best and the {half} worst", rows[:half] + rows[-half:]),
            "contributions_rest": (f"Profit and loss of the {len(rows) - 2 * half} between", rows[half:-half]),
        }
    heads = Heads("Symbol", "Contribution")
    return {name: row_chart(title, own, "usd_signed", heads, signed=True) for name, (title, own) in groups.items()}


def _exposure(book: Sequence[BookDay]) -> Charted:
    title = "Exposure, leverage and cash at the close"
    if len(book) < DAYS_LEAST:
        return needs(title, DAYS_LEAST, len(book), "closed day")

    def of_equity(amount: object, day: BookDay) -> float | None:
        return float(amount) / float(day.equity) if day.equity > ZERO else None  # type: ignore[arg-type]  # a decimal

    return line_chart(
        title,
        days_axis([day.day for day in book]),
        [
            Lines(
                [
                    Line("Net exposure", [of_equity(day.long - day.short, day) for day in book], "share"),
                    Line("Cash", [of_equity(day.cash, day) for day in book], "share"),
                ],
                "Of equity",
                plus="",
            ),
            Lines(
                [Line("Leverage", [of_equity(day.long + day.short, day) for day in book], "times")],
                "Leverage: gross exposure over equity",
                "low",
            ),
        ],
    )


def _sectors(book: Sequence[BookDay]) -> Charted:
    title = "Gross exposure by sector at the close"
    if len(book) < DAYS_LEAST:
        return needs(title, DAYS_LEAST, len(book), "closed day")
    names = sorted({name for day in book for name in day.sectors})
    series = [
        Line(
            name,
            [float(day.sectors.get(name, ZERO) / day.equity) if day.equity > ZERO else 0.0 for day in book],
            "share",
        )
        for name in names
    ]
    return stacked_chart(title, days_axis([day.day for day in book]), series)


def _correlation(edition: PeriodReport) -> Charted:
    risk = edition.risk
    assert risk is not None
    title, names = "Correlation of daily returns", risk.correlated[:MATRIX_MOST]
    if len(names) < 2:
        return NoChart(title, f"Needs two holdings with a history; {risk.because or 'there is one'}.")
    if len(risk.correlated) > len(names):
        title += f", the {len(names)} largest holdings"
    rows = [[*row, *[None] * (len(names) - len(row))] for row in risk.correlations[: len(names)]]
    return heat_chart(title, names, names, rows, "ratio", head="Symbol", most=1.0)


def _performance(edition: PeriodReport, known: Performance, figures: Figures) -> dict[str, Charted]:
    found: dict[str, Charted] = {}
    if len(known.days) >= DAYS_LEAST and (edition.first > known.days[0] or edition.period in ("day", "week")):
        found["since"] = _since(known)
    found["months"] = _months(known)
    if edition.period != "day":
        found["days"] = _days(edition, known, figures)
        found["distribution"] = _distribution(known)
        found |= _rolling(known)
    return found


def _since(known: Performance) -> Charted:
    lines = [Line("This account", [value - 1.0 for value in known.growth])]
    if any(value is not None for value in known.benchmark):
        lines.append(Line(known.benchmark_name, [None if v is None else v - 1.0 for v in known.benchmark]))
    below = Line(BELOW, known.drawdown, "percent", filled=True)
    return line_chart("Return since the start", days_axis(known.days), [Lines(lines), Lines([below], BELOW, "low")])


def _months(known: Performance) -> Charted:
    rows, values = [str(year.year) for year in known.months], [year.months for year in known.months]
    total = Extra("Year", "%", tuple(fixed(year.total * 100, 2, sign=True) for year in known.months))
    return heat_chart("Returns by month, %", rows, MONTH_NAMES, values, "percent_signed", head="Year", total=total)


def _days(edition: PeriodReport, known: Performance, figures: Figures) -> Charted:
    """The daily returns of the period, of a short one those of its month: a row per month, a column per day."""
    first = edition.first.replace(day=1)
    start, end = _window(known.days, first, edition.last)
    levels = [known.growth[start - 1] if start else 1.0, *known.growth[start:end]]
    returns = {
        day: after / before - 1.0 for day, (before, after) in zip(known.days[start:end], pairwise(levels), strict=True)
    }
    months = sorted({(day.year, day.month) for day in returns})[-MONTHS_SHOWN:]
    if not months:
        return needs("Returns by day", 1, 0)
    values = [[_on(returns, year, month, day) for day in range(1, 32)] for year, month in months]
    ids = [[_id_on(figures, year, month, day) for day in range(1, 32)] for year, month in months]
    names = [f"{year}-{month:02d}" for year, month in months]
    return heat_chart("Returns by day", names, DAYS_OF_MONTH, values, "percent_signed", head="Month", figures=ids)


def _on(returns: dict[date, float], year: int, month: int, day: int) -> float | None:
    try:
        return returns.get(date(year, month, day))
    except ValueError:
        return None


def _id_on(figures: Figures, year: int, month: int, day: int) -> str:
    name = f"return[{year:04d}-{month:02d}-{day:02d}]"
    return figures[name].id if name in figures else ""


def _distribution(known: Performance) -> Charted:
    title = "Daily returns: how many days fell where"
    if len(known.days) < HISTOGRAM_LEAST:
        return needs(title, HISTOGRAM_LEAST, len(known.days))
    bins = [Bin(bar.low, bar.high, bar.days) for bar in known.distribution]
    return histogram(title, bins, "percent_signed", Heads("Return", "Days"))


def _rolling(known: Performance) -> dict[str, Charted]:
    """The rolling figures that have enough days, on one axis; for the others what they need."""
    days, axis = len(known.days), days_axis(known.days)
    title = "Rolling volatility"
    if days < VOLATILITY_DAYS:
        return {"rolling": needs("Rolling volatility, Sharpe ratio and beta", VOLATILITY_DAYS, days)}
    panels = [
        Lines([Line("Volatility", known.rolling_volatility, "share")], "Volatility of 20 days, a year", "low", "")
    ]
    if days < SHARPE_DAYS:
        rest = needs("Rolling Sharpe ratio and beta", SHARPE_DAYS, days)
        return {"rolling": line_chart(title, axis, panels), "rolling_rest": rest}
    panels.append(Lines([Line("Sharpe ratio", known.rolling_sharpe, "ratio")], "Sharpe ratio of 60 days", "low"))
    title += " and Sharpe ratio"
    if any(value is not None for value in known.rolling_beta):
        beside = f"Beta to {known.benchmark_name} of 60 days"
        panels.append(Lines([Line("Beta", known.rolling_beta, "ratio")], beside, "low"))
        title = "Rolling volatility, Sharpe ratio and beta"
        return {"rolling": line_chart(title, axis, panels)}
    missing = NoChart("Rolling beta", "Needs 60 days with a close of the benchmark in a row; there are none.")
    return {"rolling": line_chart(title, axis, panels), "rolling_rest": missing}
