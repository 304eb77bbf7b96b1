"""`performance`: the results of trading, on one screen or as JSON, from the local journal alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.other_state import setup_of
from rebalancer.cli.profit_table import bridge_lines
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.report.columns import TableRow, clip, paint, table
from rebalancer.report.numbers import NONE
from rebalancer.report.visible import visible, visible_symbol

if TYPE_CHECKING:
    from rebalancer.accounting.order_counts import OrderCounts
    from rebalancer.core.rules import Rules
    from rebalancer.journal import Journal
    from rebalancer.performance.period_bridge import PeriodBridge
    from rebalancer.performance.records import AccountHistory
    from rebalancer.performance.risk.factors import Bet
    from rebalancer.performance.stats import RoundTripStats
    from rebalancer.performance.summary import Summary
    from rebalancer.report.figures.figure import Figures
    from rebalancer.report.period.book_risk import Risk

SYMBOLS_SHOWN: Final = 5
TABLES: Final = {
    "sector": "By sector",
    "source": "By source",
    "asset_class": "By asset class",
    "regime": "By regime",
    "reason": "By exit reason",
}
NAME_MAX: Final = 28
LATENCIES: Final = {
    "order": "order, to the broker's word",
    "trade": "order, to its last fill",
    "exit_pair": "pair of exits, until it rests",
    "cycle": "cycle that sent orders",
}


def show_performance(
    config: Sequence[Path] | None,
    *,
    days: int | None,
    as_json: bool,
    colour: bool,
    state: Path | None = None,
    backtest: Path | None = None,
) -> int:
    """Print the performance of the last `days` calendar days, None for everything since the records began. state: read
    that folder instead of the configured one. backtest: the folder that a backtest has written, instead."""
    from rebalancer.accounting.closed_days import bridge_of
    from rebalancer.accounting.order_counts import order_counts
    from rebalancer.accounting.order_history import orders_of
    from rebalancer.accounting.trade_history import ledger_of
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.journal import Journal
    from rebalancer.market_data.benchmarks import benchmark_closes
    from rebalancer.performance.summary import summary_of
    from rebalancer.report.figures.of_performance import figures_of_performance
    from rebalancer.report.operations import operations_of

    if backtest is not None:
        return _of_backtest(backtest, days, as_json=as_json, colour=colour)
    setup = setup_of(config, state)
    if not setup.has_journal:
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
        benchmark = benchmark_closes(journal, newest.account_id, rules.benchmark, setup.state)
        orders = orders_of(journal, newest.account_id)
        operations = operations_of(journal, newest.account_id, lambda at: after is None or day_in_new_york(at) > after)
        risk = _risk(journal, newest.account_id, setup.rules, ledger, newest.started_at)
    summary = summary_of(
        ledger,
        rules.lot_method,
        risk_free_rate=rules.risk_free_rate,
        days=days,
        benchmark=benchmark,
    )
    counts = order_counts(orders, ledger, lambda at: after is None or day_in_new_york(at) > after)
    last = ledger.days[-1] if ledger.days else None
    bets = () if risk is None else risk.bets
    figures = figures_of_performance(summary, bridge, counts, last, operations, bets)
    return _print(summary, figures, bridge, counts, setup.mode, bets, as_json=as_json, colour=colour)


def _risk(journal: Journal, account_id: str, rules: Rules, ledger: AccountHistory, made_at: datetime) -> Risk | None:
    """The risk of the book at the end of the last day, as the report of that day has it."""
    from rebalancer.report.period.parts.risk import risk
    from rebalancer.report.period.parts.source import Source

    if not ledger.days:
        return None
    source = Source(journal, account_id, rules, "day", ledger.days[-1].day, made_at)
    return source.attempt("the risk of the book", lambda: risk(source), None)


def _print(
    summary: Summary,
    figures: Figures,
    bridge: PeriodBridge | None,
    counts: OrderCounts,
    mode: str,
    bets: Sequence[Bet] = (),
    *,
    as_json: bool,
    colour: bool,
) -> int:
    from rebalancer.core.documents import plain

    if as_json:
        known = {"counts": plain(counts), "bets": plain(bets), "figures": figures.document()}
        document = {**plain(summary), "bridge": plain(bridge), "mode": mode, **known}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        shown = screen(summary, figures, bridge, mode, bets, width=terminal_width(), colour=colour and wants_colour())
        sys.stdout.write(shown)
    return ExitCode.DONE


def _of_backtest(folder: Path, days: int | None, *, as_json: bool, colour: bool) -> int:
    """The same of a backtest, which is run again from the inputs that it noted. It has no books, so no bridge."""
    from rebalancer.accounting.order_counts import order_counts
    from rebalancer.cli.backtest import again
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.performance.summary import summary_of
    from rebalancer.report.figures.of_performance import figures_of_performance
    from rebalancer.research.account_records import records_of

    run = again(folder)
    rules = run.setup.rules.reporting
    found = records_of(run, rules.benchmark)
    after, _ = _period(found.account, days)
    summary = summary_of(
        found.account,
        rules.lot_method,
        risk_free_rate=rules.risk_free_rate,
        days=days,
        benchmark=found.benchmark,
    )
    counts = order_counts(found.orders, found.account, lambda at: after is None or day_in_new_york(at) > after)
    figures = figures_of_performance(summary, None, counts, found.account.days[-1])
    return _print(summary, figures, None, counts, "backtest", as_json=as_json, colour=colour)


def _period(ledger: AccountHistory, days: int | None) -> tuple[date | None, list[date]]:
    """The day after which the period begins (None: when the records began), and its trading days."""
    from rebalancer.market_data.trading_calendar import published_hours

    if not ledger.days or ledger.opened_on is None:
        return None, []
    last = ledger.days[-1].day
    after = None if days is None else last - timedelta(days=days)
    first = ledger.opened_on if after is None else max(ledger.opened_on, after + timedelta(days=1))
    return after, [hours.day for hours in published_hours(first, last)]


def screen(
    summary: Summary,
    figures: Figures,
    bridge: PeriodBridge | None,
    mode: str,
    bets: Sequence[Bet] = (),
    *,
    width: int | None,
    colour: bool,
) -> str:
    """The whole screen: figures in pairs, the bridge, what the book bets on, best and worst symbols, a table for each
    kind of group."""
    if summary.last is None:
        return "No day has a value yet. Start with: rebalancer run-now\n"
    lines = [clip(f"Performance {summary.first} to {summary.last}, {mode}, USD", width), ""]
    lines += [clip(line, width) for line in _pairs(summary, figures)]
    lines += [clip(line, width) for line in ("", *_benchmark(summary, figures))]
    lines += bridge_lines(bridge, width, colour)
    lines += _bets(bets, figures, summary.benchmark_name, width, colour)
    lines += _symbols(summary.groups["symbol"], figures, width, colour)
    for kind, title in TABLES.items():
        lines += _groups(title, kind, summary.groups[kind], figures, width, colour)
    lines += _latency(figures, width, colour)
    return "\n".join(lines) + "\n"


def _pairs(summary: Summary, figures: Figures) -> list[str]:
    from rebalancer.performance.ratios import DAYS_FOR_RATES

    few = f"{NONE} needs {DAYS_FOR_RATES} days" if len(summary.course.days) < DAYS_FOR_RATES else ""

    def text(name: str) -> str:
        return figures[name].text if name in figures else NONE

    pairs = [
        ("equity", text("equity"), "opening", text("opening")),
        ("profit, without flows", text("profit"), "deposits less withdrawals", text("flows")),
        ("ROI", text("roi"), "time-weighted (daily)", text("return")),
        ("volatility, a year", few or text("volatility"), "money-weighted (IRR)", text("money_weighted")),
        ("Sharpe", few or text("sharpe"), "below high-water mark", text("below_mark")),
        ("Sortino", few or text("sortino"), "lowest below the mark", text("worst_drawdown")),
        ("Calmar", few or text("calmar"), "trips", f"{text('trips.trips')} ({summary.lot_method})"),
        ("win rate", text("trips.win_rate"), "profit factor", text("trips.profit_factor")),
        ("average win", text("trips.average_win"), "average loss", text("trips.average_loss")),
        ("fees", text("fees"), "slippage, a cost is +", text("slippage")),
        ("dividends", text("dividends"), "interest", text("interest")),
        ("exposure, net", text("net_exposure"), "its mean by day", text("exposure_mean")),
        (
            "average holding time",
            text("trips.held_seconds"),
            "days up / down",
            f"{text('days_up')} / {text('days_down')}",
        ),
        ("orders filled", f"{text('orders_filled')} of {text('orders')}", "turnover of equity", text("turnover")),
        ("fills", text("fills"), "fills by hand", text("fills_by_hand")),
    ]
    return [f"  {a:<22}{b:>15}   {c:<25}{d:>13}" for a, b, c, d in pairs]


def _latency(figures: Figures, width: int | None, colour: bool) -> list[str]:
    """How long an order, a trade, a pair of exits and a cycle took; nothing when none was measured."""
    rows = []
    for name, words in LATENCIES.items():
        key = f"latency.{name}."
        if figures.known(f"{key}p50"):
            rows.append(TableRow((words, *(figures[key + part].text for part in ("count", "p50", "p95", "longest")))))
    if not rows:
        return []
    head = ("latency", "measured", "p50", "p95", "longest")
    size = f"  journal {figures['journal_size'].text}" if figures.known("journal_size") else ""
    lines = ["", paint("Latency", "bold", colour), *table(head, "<>>>>", rows, width=width, colour=colour)]
    return [*lines, clip(size, width)] if size else lines


def _benchmark(summary: Summary, figures: Figures) -> list[str]:
    from rebalancer.performance.ratios import DAYS_FOR_RATES

    name, found = visible_symbol(summary.benchmark_name), summary.benchmark
    if not name:
        return ["  benchmark: none is set (reporting.benchmark)"]
    if found is None:
        return [f"  benchmark: no bars for {name} yet"]

    def text(figure: str) -> str:
        return figures[f"benchmark.{figure}"].text

    lines = [
        f"  {name} from the close of {found.first} to that of {found.last}: {text('return')}",
        f"  this account over these {text('days')} days: {text('own_return')}, difference {text('excess')}",
    ]
    if found.beta is None:
        return [*lines, f"  alpha, beta and correlation need {DAYS_FOR_RATES} days"]
    statistics = f"alpha {text('alpha')}, beta {text('beta')}, correlation {text('correlation')}"
    return [*lines, f"  {statistics}"]


def _bets(bets: Sequence[Bet], figures: Figures, benchmark: str, width: int | None, colour: bool) -> list[str]:
    """The betas of the book; nothing when nothing is held."""
    from rebalancer.report.figures.of_book import bet_name, bet_words

    rows = []
    for bet in bets:
        name = bet_name(bet)
        cells = [figures[f"{name}{part}"].text for part in ("", ".error", ".days")]
        rows.append(TableRow((bet_words(bet, benchmark), *cells, visible(bet.because))))
    if not rows:
        return []
    head = ("factor", "beta", "error", "days", "")
    return [
        "",
        paint("What this book bets on", "bold", colour),
        *table(head, "<>>><", rows, width=width, colour=colour),
    ]


def _symbols(by_symbol: Mapping[str, RoundTripStats], figures: Figures, width: int | None, colour: bool) -> list[str]:
    ranked = sorted(by_symbol.items(), key=lambda pair: (-pair[1].profit, pair[0]))
    best = [name for name, stats in ranked[:SYMBOLS_SHOWN] if stats.profit > 0]
    worst = [name for name, stats in ranked[::-1][:SYMBOLS_SHOWN] if stats.profit < 0]
    return [
        *_groups("Best symbols", "symbol", best, figures, width, colour),
        *_groups("Worst symbols", "symbol", worst, figures, width, colour),
    ]


def _groups(
    title: str, kind: str, groups: Iterable[str], figures: Figures, width: int | None, colour: bool
) -> list[str]:
    """A table with its title; nothing when there is no group."""
    rows = []
    for name in groups:
        cells = [figures[f"trips.{kind}[{name}].{field}"] for field in ("trips", "win_rate", "profit", "roi")]
        texts = [one.bare if one.form == "usd_signed" else one.text for one in cells]
        rows.append(TableRow((clip(visible(name) or NONE, None if width is None else NAME_MAX), *texts)))
    if not rows:
        return []
    head = ("name", "trips", "win rate", "profit USD", "ROI")
    return ["", paint(title, "bold", colour), *table(head, "<>>>>", rows, width=width, colour=colour)]
