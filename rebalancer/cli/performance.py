"""`performance`: the results of trading, on one screen or as JSON, from the local journal alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.profit_table import bridge_lines
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.report.columns import TableRow, clip, paint, table
from rebalancer.report.numbers import NONE, fixed, money, percent, points, span_text
from rebalancer.report.visible import visible, visible_symbol

if TYPE_CHECKING:
    from rebalancer.performance.period_bridge import PeriodBridge
    from rebalancer.performance.records import AccountHistory
    from rebalancer.performance.stats import RoundTripStats
    from rebalancer.performance.summary import Summary

SYMBOLS_SHOWN: Final = 5
TABLES: Final = {
    "sector": "By sector",
    "source": "By source",
    "asset_class": "By asset class",
    "regime": "By regime",
    "reason": "By exit reason",
}
NAME_MAX: Final = 28


def show_performance(config: Sequence[Path] | None, *, days: int | None, as_json: bool, colour: bool) -> int:
    """Print the performance of the last `days` calendar days, None for everything since the records began."""
    from rebalancer.accounting.closed_days import bridge_of
    from rebalancer.accounting.trade_history import ledger_of
    from rebalancer.core.documents import plain
    from rebalancer.journal import Journal
    from rebalancer.market_data.benchmarks import benchmark_of
    from rebalancer.performance.summary import summary_of
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    if not setup.journal.exists():
        sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
        return ExitCode.USAGE
    with Journal.open(setup.journal) as journal:
        newest = next(iter(journal.cycles(None, 1)), None)
        if newest is None:
            sys.stderr.write("error: there is no cycle yet\n  hint: rebalancer run-now\n")
            return ExitCode.USAGE
        ledger = ledger_of(journal, newest.account_id)
        after, expected = _period(ledger, days)
        rules = setup.rules.reporting
        bridge = bridge_of(journal, newest.account_id, ledger, rules.lot_method, after, expected)
    summary = summary_of(
        ledger,
        rules.lot_method,
        risk_free_rate=rules.risk_free_rate,
        days=days,
        benchmark=benchmark_of(setup.state, rules.benchmark),
    )
    if as_json:
        document = {**plain(summary), "bridge": plain(bridge), "mode": setup.mode}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        shown = screen(summary, bridge, setup.mode, width=terminal_width(), colour=colour and wants_colour())
        sys.stdout.write(shown)
    return ExitCode.DONE


def _period(ledger: AccountHistory, days: int | None) -> tuple[date | None, list[date]]:
    """The day after which the period begins (None: when the records began), and its trading days."""
    from rebalancer.market_data.trading_calendar import published_hours

    if not ledger.days or ledger.opened_on is None:
        return None, []
    last = ledger.days[-1].day
    after = None if days is None else last - timedelta(days=days)
    first = ledger.opened_on if after is None else max(ledger.opened_on, after + timedelta(days=1))
    return after, [hours.day for hours in published_hours(first, last)]


def screen(summary: Summary, bridge: PeriodBridge | None, mode: str, *, width: int | None, colour: bool) -> str:
    """The whole screen: figures in pairs, the bridge, best and worst symbols, a table for each kind of group."""
    if summary.last is None:
        return "No day has a value yet. Start with: rebalancer run-now\n"
    lines = [clip(f"Performance {summary.first} to {summary.last}, {mode}, USD", width), ""]
    lines += [clip(line, width) for line in _figures(summary)]
    lines += [clip(line, width) for line in ("", *_benchmark(summary))]
    lines += bridge_lines(bridge, width, colour)
    lines += _symbols(summary.groups["symbol"], width, colour)
    for kind, title in TABLES.items():
        lines += _groups(title, summary.groups[kind], width, colour)
    return "\n".join(lines) + "\n"


def _figures(summary: Summary) -> list[str]:
    from rebalancer.performance.period_ratios import DAYS_FOR_RATES

    m, r, t = summary.money, summary.ratios, summary.trips
    few = f"{NONE} needs {DAYS_FOR_RATES} days" if len(summary.course.days) < DAYS_FOR_RATES else ""
    pairs = [
        ("equity", money(m.closing), "opening", money(m.opening)),
        ("profit, without flows", money(m.profit, sign=True), "deposits less withdrawals", money(m.flows, sign=True)),
        ("ROI", percent(m.roi, sign=True), "time-weighted (daily)", percent(summary.time_weighted, sign=True)),
        (
            "volatility, a year",
            few or percent(r.volatility),
            "money-weighted (IRR)",
            percent(summary.money_weighted, sign=True),
        ),
        ("Sharpe", few or fixed(r.sharpe, 2), "drawdown now", percent(r.drawdown_now)),
        ("Sortino", few or fixed(r.sortino, 2), "drawdown worst", percent(r.max_drawdown)),
        ("Calmar", few or fixed(r.calmar, 2), "trips", f"{t.trips} ({summary.lot_method})"),
        ("win rate", percent(t.win_rate, 1), "profit factor", fixed(t.profit_factor, 2)),
        ("average win", money(t.average_win), "average loss", money(t.average_loss)),
        ("fees", money(m.fees), "slippage, a cost is +", money(m.slippage, sign=True)),
        ("dividends", money(m.dividends), "interest", money(m.interest, sign=True)),
        ("turnover, times equity", fixed(m.turnover, 2), "exposure now / mean", _exposure(summary)),
        ("average holding time", _held(t.held_seconds), "days up / down", f"{r.days_up} / {r.days_down}"),
    ]
    return [f"  {a:<22}{b:>15}   {c:<25}{d:>13}" for a, b, c, d in pairs]


def _exposure(summary: Summary) -> str:
    now, mean = summary.money.exposure_now, summary.money.exposure_mean
    return f"{percent(now, 0)} / {percent(mean, 0)}"


def _held(seconds: float | None) -> str:
    return NONE if seconds is None else span_text(seconds)


def _benchmark(summary: Summary) -> list[str]:
    name, found = visible_symbol(summary.benchmark_name), summary.benchmark
    if not name:
        return ["  benchmark: none is set (reporting.benchmark)"]
    if found is None:
        return [f"  benchmark: no bars for {name} yet"]
    return [
        f"  benchmark {name} over {found.days} days: {percent(found.benchmark_return, sign=True)}, "
        f"difference {points(found.excess, sign=True)}",
        f"  alpha {percent(found.alpha, sign=True)}, beta {fixed(found.beta, 2)}, "
        f"correlation {fixed(found.correlation, 2)}",
    ]


def _symbols(by_symbol: Mapping[str, RoundTripStats], width: int | None, colour: bool) -> list[str]:
    ranked = sorted(by_symbol.items(), key=lambda pair: (-pair[1].profit, pair[0]))
    best = {name: stats for name, stats in ranked[:SYMBOLS_SHOWN] if stats.profit > 0}
    worst = {name: stats for name, stats in ranked[::-1][:SYMBOLS_SHOWN] if stats.profit < 0}
    return [*_groups("Best symbols", best, width, colour), *_groups("Worst symbols", worst, width, colour)]


def _groups(title: str, groups: Mapping[str, RoundTripStats], width: int | None, colour: bool) -> list[str]:
    """A table with its title; nothing when there is no group."""
    if not groups:
        return []
    rows = [
        TableRow(
            (
                clip(visible(name) or NONE, None if width is None else NAME_MAX),
                str(stats.trips),
                percent(stats.win_rate, 1),
                fixed(stats.profit, 2, sign=True),
                percent(stats.roi, sign=True),
            )
        )
        for name, stats in groups.items()
    ]
    head = ("name", "trips", "win rate", "profit USD", "ROI")
    return ["", paint(title, "bold", colour), *table(head, "<>>>>", rows, width=width, colour=colour)]
