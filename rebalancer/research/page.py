"""The page of a backtest: one self-contained HTML file in the style of the reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from rebalancer.performance.history import (
    SHARPE_DAYS,
    VOLATILITY_DAYS,
    distribution,
    rolling_beta,
    rolling_sharpe,
    rolling_volatility,
)
from rebalancer.report.charting.axis import days_axis
from rebalancer.report.charting.bars import Bin, Heads, RowBar, histogram, row_chart
from rebalancer.report.charting.grids import heat_chart
from rebalancer.report.charting.lines import Line, Lines, line_chart
from rebalancer.report.charting.markup import Plots, tables_html
from rebalancer.report.charting.records import Charted, Extra, needs
from rebalancer.report.numbers import fixed
from rebalancer.report.page import DATA_PLACE, environment, tidy
from rebalancer.report.period.pictures import MONTH_NAMES
from rebalancer.report.visible import visible_symbol
from rebalancer.research.backtest import Backtest
from rebalancer.research.figures import BacktestFigures, NameResult, audit_text, figures_of, sentence
from rebalancer.research.market import NO_COSTS

BELOW: Final = "Below the highest equity before"
HISTOGRAM_LEAST: Final = 20  # days
PAGE, DATA_PAGE = "backtest.html", "backtest_data.html"


class BacktestPages(NamedTuple):
    """The page, and the one of the tables for which it has no room; "" when it has room for all."""

    page: str
    data: str


def backtest_pages(run: Backtest, benchmark: str = "") -> BacktestPages:
    """Render the page, to be stored as `backtest.html`, and a second one, `backtest_data.html`, where the tables of its
    charts are too heavy. The same run gives the same bytes, but for its seconds."""
    figures = figures_of(run, benchmark)
    plot = Plots(charts_of(figures), DATA_PAGE)
    context = {
        "run": run,
        "f": figures,
        "sentence": sentence(run),
        "audit": audit_text(run),
        "differs": run.result.audit.differences > 0,
        "plot": plot,
        "free": run.setup.costs == NO_COSTS,
    }
    page = tidy(environment().get_template("backtest.html.j2").render(context))
    data = json.dumps(run.document(), ensure_ascii=False).replace("<", "\\u003c")
    tables = [tables_html(chart, name) for name, chart in plot.elsewhere.items()]
    more = {
        "mode": "simulated", "mode_name": "BACKTEST", "mode_meaning": "", "back": PAGE, "tables": tables,
        "title": f"{figures.days[0]} to {figures.days[-1]}", "orders_elsewhere": False, "trips_elsewhere": False,
    }  # fmt: skip
    beside = tidy(environment().get_template("tables.html.j2").render(more)) if tables else ""
    return BacktestPages(page.replace(DATA_PLACE, f'id="report-data">{data}</script>'), beside)


def charts_of(figures: BacktestFigures) -> dict[str, Charted]:
    """Every chart of the page, by name."""
    growth, axis = figures.growth, days_axis(figures.days)
    lines = [Line("This run", [value - 1.0 for value in growth])]
    if figures.benchmark:
        lines.append(Line(figures.benchmark_name, [None if v is None else v - 1.0 for v in figures.benchmark]))
    below = Line(BELOW, figures.drawdown, "percent", filled=True)
    exposed = [Line("Gross", figures.exposure, "share"), Line("Net", figures.net, "share")]
    found = {
        "equity": line_chart("Return since the start", axis, [Lines(lines), Lines([below], BELOW, "low")]),
        "months": _months(figures),
        "distribution": _distribution(figures),
        "rolling": _rolling(figures),
        "exposure": line_chart("Positions as a share of equity", axis, [Lines(exposed, plus="")]),
        "turnover": line_chart(
            "Value traded over equity, a year, at the pace of 21 days",
            axis,
            [Lines([Line("Turnover", figures.turnover, "times")], size="low")],
        ),
    }
    paid = [RowBar(cost.label, cost.amount) for cost in figures.costs]
    found["costs"] = row_chart("What was paid, USD", paid, "usd", Heads("Kind", "Cost"))
    names = (*figures.best, *reversed(figures.worst))
    for name, title, rows in (("names", "Best and worst names", names), ("sectors", "By sector", figures.sectors)):
        if rows:
            found[name] = _results(title, rows)
    return found


def returns_of(figures: BacktestFigures) -> list[float]:
    """The daily returns of the run."""
    return [after / before - 1.0 for before, after in zip((1.0, *figures.growth), figures.growth, strict=False)]


def _months(figures: BacktestFigures) -> Charted:
    total = Extra("Year", "%", tuple(fixed(year.total * 100, 2, sign=True) for year in figures.months))
    rows, values = [str(year.year) for year in figures.months], [year.months for year in figures.months]
    return heat_chart("Returns by month, %", rows, MONTH_NAMES, values, "percent_signed", head="Year", total=total)


def _distribution(figures: BacktestFigures) -> Charted:
    title = "Daily returns: how many days fell where"
    if len(figures.days) < HISTOGRAM_LEAST:
        return needs(title, HISTOGRAM_LEAST, len(figures.days))
    bins = [Bin(bar.low, bar.high, bar.days) for bar in distribution(returns_of(figures))]
    return histogram(title, bins, "percent_signed", Heads("Return", "Days"))


def _rolling(figures: BacktestFigures) -> Charted:
    title, days, returns = "Rolling volatility, Sharpe ratio and beta", len(figures.days), returns_of(figures)
    if days < SHARPE_DAYS:
        return needs(title, SHARPE_DAYS, days)
    panels = [
        _low(f"Volatility of {VOLATILITY_DAYS} days, a year", "Volatility", rolling_volatility(returns), plus=""),
        _low(f"Sharpe ratio of {SHARPE_DAYS} days", "Sharpe ratio", rolling_sharpe(returns)),
    ]
    if figures.benchmark:
        panels.append(_low(f"Beta of {SHARPE_DAYS} days", "Beta", rolling_beta(returns, figures.benchmark)))
    return line_chart(title, days_axis(figures.days), panels)


def _low(title: str, name: str, values: Sequence[float | None], *, plus: str = "+") -> Lines:
    return Lines([Line(name, values, "share" if name == "Volatility" else "ratio")], title, "low", plus)


def _results(title: str, rows: Sequence[NameResult]) -> Charted:
    bars = [RowBar(visible_symbol(row.name), row.profit) for row in rows]
    return row_chart(title, bars, "usd_signed", Heads("Name", "Profit"), signed=True)
