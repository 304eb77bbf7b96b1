"""`export`: round trips, fills, orders, positions, cycles and days for other programs, and copies for Tradervue."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.cli.errors import choice, day_of, said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.other_state import setup_of
from rebalancer.cli.screen import warn
from rebalancer.core.documents import BadDocument
from rebalancer.core.units import amount_of
from rebalancer.ops.files import sync_to_disk

if TYPE_CHECKING:
    from rebalancer.accounting.order_counts import OrderCounts
    from rebalancer.core.rules import Rules
    from rebalancer.journal import Journal
    from rebalancer.performance.benchmark import Benchmark
    from rebalancer.performance.records import AccountHistory, LotMethod
    from rebalancer.report.exports.tables import ExportDay, ExportTable

FORMATS: Final = ("csv", "json")
COUNTED: Final = ("fills", "orders")  # whose JSON has the counts of orders and fills
CYCLES_MOST: Final = 10_000_000


def export_table(
    what: str,
    config: Sequence[Path] | None,
    *,
    form: str,
    since: str | None,
    to: Path | None,
    limit: int | None = None,
    state: Path | None = None,
    backtest: Path | None = None,
) -> int:
    """Write one table to stdout or atomically to a file. limit: at most the newest `limit` rows. state: read that
    folder instead of the configured one. backtest: the folder that a backtest has written, instead."""
    from rebalancer.journal import Journal
    from rebalancer.report.exports.tables import COLUMNS, table

    choice("export", what, (*COLUMNS, "tradervue"))
    choice("export: --format", form, FORMATS)
    first = None if since is None else day_of("--since", since)
    if backtest is not None:
        return _export_backtest(what, backtest, form=form, first=first, to=to)
    setup = setup_of(config, state)
    if what == "positions":
        if since is not None:
            raise BadDocument("export: --since", "positions are those of now", "leave it out")
        if state is not None:
            raise BadDocument("export: --state", "positions are read from the broker", "leave it out")
        from rebalancer.cli.at_broker import holdings

        _write(table(what, holdings(setup).positions), form, to)
        return ExitCode.DONE
    if not setup.has_journal:
        sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
        return ExitCode.USAGE
    with Journal.open(setup.journal) as journal:
        records = list(_records(what, journal, setup.rules, first))
        counted = _counts(journal, first) if what in COUNTED and form == "json" else None
    _write(table(what, records if limit is None else records[-limit:]), form, to, counted)
    return ExitCode.DONE


def _export_backtest(what: str, folder: Path, *, form: str, first: date | None, to: Path | None) -> int:
    """The same tables of a backtest, which is run again from the inputs that it noted."""
    from rebalancer.accounting.order_counts import order_counts
    from rebalancer.cli.backtest import again
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.report.exports.tables import table
    from rebalancer.research.account_records import held_at_the_end, records_of

    if what == "cycles":
        raise BadDocument("export cycles", "a backtest stores no cycles", "rebalancer explain SYMBOL --bar T --run DIR")
    run = again(folder)
    if what == "positions":
        if first is not None:
            raise BadDocument("export: --since", "positions are those after the last bar", "leave it out")
        _write(table(what, held_at_the_end(run)), form, to)
        return ExitCode.DONE
    rules = run.setup.rules.reporting
    found = records_of(run, rules.benchmark)

    def recent(at: datetime) -> bool:
        return first is None or day_in_new_york(at) >= first

    if what == "orders":
        records: Iterable[object] = [order for order in found.orders if recent(order.intended_at)]
    else:
        records = _of_ledger(what, found.account, rules.lot_method, found.benchmark, first)
    counted = order_counts(found.orders, found.account, recent) if what in COUNTED and form == "json" else None
    _write(table(what, records), form, to, counted)
    return ExitCode.DONE


def _write(found: ExportTable, form: str, to: Path | None, counted: OrderCounts | None = None) -> None:
    from rebalancer.report.exports.writers import csv_text, json_text

    content = (csv_text(found) if form == "csv" else json_text(found, counted)).encode(
        "utf-8", errors="backslashreplace"
    )
    if to is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    write_whole(to, content)
    sys.stderr.write(f"{len(found.rows)} {found.name} written to {to}\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old one or the new one. Raises BadDocument."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_to_disk(path.parent)
    except OSError as error:
        raise BadDocument(f"export: --to {path}", f"cannot be written: {error.strerror}") from None


def _records(what: str, journal: Journal, rules: Rules, first: date | None) -> Iterable[object]:
    """The records of one table, oldest first, from a day (in New York) on."""
    from rebalancer.accounting.order_history import orders_of
    from rebalancer.accounting.trade_history import ledger_of
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.market_data.benchmarks import benchmark_closes

    def recent(at: datetime) -> bool:
        return first is None or day_in_new_york(at) >= first

    newest = next(iter(journal.cycles(None, 1)), None)
    if newest is None:
        return []
    account_id = newest.account_id
    if what == "cycles":
        return [c for c in reversed(journal.cycles(account_id, CYCLES_MOST)) if recent(c.started_at)]
    if what == "orders":
        return [o for o in orders_of(journal, account_id) if recent(o.intended_at)]
    benchmark = None
    if what == "trips":
        benchmark = benchmark_closes(journal, account_id, rules.reporting.benchmark, journal.state)
    return _of_ledger(what, ledger_of(journal, account_id), rules.reporting.lot_method, benchmark, first)


def _of_ledger(
    what: str, ledger: AccountHistory, method: LotMethod, benchmark: Benchmark | None, first: date | None
) -> Iterable[object]:
    """The fills, round trips or days of an account, from a day on."""
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.performance.benchmark import Benchmark
    from rebalancer.performance.fees import with_fees
    from rebalancer.performance.round_trips import trips_of

    if what == "performance":
        return [d for d in _days(ledger) if first is None or d.day >= first]
    if what == "fills":
        return [f for f in with_fees(ledger.fills, ledger.cash)[0] if first is None or day_in_new_york(f.at) >= first]
    trips = trips_of(ledger, method, benchmark or Benchmark())
    return [t for t in trips if first is None or day_in_new_york(t.closed_at) >= first]


def _counts(journal: Journal, first: date | None) -> OrderCounts | None:
    """The counts of the same rows, as the reports have them."""
    from rebalancer.accounting.order_counts import order_counts
    from rebalancer.accounting.order_history import orders_of
    from rebalancer.accounting.trade_history import ledger_of
    from rebalancer.core.new_york import day_in_new_york

    newest = next(iter(journal.cycles(None, 1)), None)
    if newest is None:
        return None
    orders, ledger = orders_of(journal, newest.account_id), ledger_of(journal, newest.account_id)
    return order_counts(orders, ledger, lambda at: first is None or day_in_new_york(at) >= first)


def _days(ledger: AccountHistory) -> list[ExportDay]:
    from rebalancer.performance.summary import summary_of
    from rebalancer.report.exports.tables import ExportDay

    curve = summary_of(ledger, "fifo").course  # the lots play no part in the course of the equity
    figures_by_day = list(zip(curve.returns, curve.growth, curve.drawdown, strict=True))
    missing = [(None, None, None)] * (len(ledger.days) - len(figures_by_day))
    return [
        ExportDay(d.day, d.equity, d.cash, d.flow, d.exposure, *figures)
        for d, figures in zip(ledger.days, [*missing, *figures_by_day], strict=True)
    ]


def export_to_tradervue(config: Sequence[Path] | None, *, dry_run: bool) -> int:
    """Copy what Tradervue does not have yet; with dry_run, only print what would be copied."""
    from rebalancer.journal import Journal
    from rebalancer.session.setup import load_setup
    from rebalancer.session.tradervue import copy_now, waiting_fills

    setup = load_setup(config)
    if not setup.has_journal:
        sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
        return ExitCode.USAGE
    with Journal.open(setup.journal) as journal:
        newest = next(iter(journal.cycles(None, 1)), None)
        if newest is None:
            sys.stderr.write("error: there is no cycle yet\n  hint: rebalancer run-now\n")
            return ExitCode.USAGE
        if dry_run:
            for fill in waiting_fills(journal, newest.account_id):
                sys.stdout.write(f"{fill.at.isoformat()}  {fill.symbol}  {fill.qty}  {fill.price}\n")
            return ExitCode.DONE
        done = copy_now(setup, journal, newest.account_id)
    sys.stdout.write(f"{amount_of(done.sent, 'execution')} sent, {len(done.refused)} refused, {done.left} left\n")
    for name, words in done.refused:
        warn([f"{name}: {words}"])
    return said(done.because, ExitCode.UNAVAILABLE) if done.because else ExitCode.DONE
