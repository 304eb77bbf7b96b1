"""The public Python functions: what `rebalancer` offers by its commands, as typed values.

`plan` and `load_rules` touch nothing but the files that are named. The others act on the account that is configured
where the program runs, as the commands do: `config` names configuration files, later ones win; None looks in the usual
places. `positions`, `orders` and `account` ask the broker and change nothing; `performance_summary` and `recent_trades`
read the local journal alone. All of them raise BadDocument for a configuration that cannot be used.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rebalancer import planning
from rebalancer.accounting.trade_history import ledger_of
from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.cli.at_broker import OrderStatus, newest_orders, read_only
from rebalancer.cli.connection import connected
from rebalancer.core.codec import rules_text, seal, snapshot_text
from rebalancer.core.decisions import Plan
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Account, Position, Snapshot
from rebalancer.core.rules import Rules
from rebalancer.journal import Journal
from rebalancer.market_data.benchmarks import benchmark_closes, benchmark_of
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.run_lock import RunLock
from rebalancer.performance.benchmark import Benchmark
from rebalancer.performance.fees import with_fees
from rebalancer.performance.records import AccountHistory, Fill
from rebalancer.performance.summary import Summary, summary_of
from rebalancer.report.files import ReportNotWritten, write_report
from rebalancer.report.records import RunRecord
from rebalancer.session.alert_delivery import deliver_now
from rebalancer.session.execute import execute
from rebalancer.session.names import refuse_strange_sectors
from rebalancer.session.setup import Setup, load_setup
from rebalancer.settings import load
from rebalancer.signals.signal_row import SOURCE

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from rebalancer.research.backtest import Backtest
    from rebalancer.research.market import CostModel


def plan(snapshot: Snapshot, rules: Rules) -> Plan:
    """Plan one cycle: pure and total; equal arguments give equal plans. Its `to_json()` is what
    `rebalancer plan --snapshot FILE --json` prints."""
    return seal(planning.plan(snapshot, rules), snapshot_text(snapshot), rules_text(rules))


def load_rules(files: Sequence[Path]) -> Rules:
    """Read YAML files, later ones winning, over the built-in defaults; no environment variable is looked at. Raises
    BadDocument naming every problem with file, line and key."""
    return load.load_rules(list(files), {}).rules


def backtest(
    prices: DataFrame | Path,
    targets_or_signals: DataFrame | Path,
    rules: Rules | None = None,
    *,
    preset: str | None = None,
    costs: CostModel | Literal["none"] | None = None,
    fill: Literal["next_open", "next_vwap", "next_close", "same_close"] = "next_open",
    rebalance: Literal["every_bar", "on_targets"] = "every_bar",
    equity: float = 100_000.0,
    actions: Path | None = None,
    delisted: Literal["last_price", "write_off"] = "last_price",
    ledger: Path | None = None,
) -> Backtest:
    """Run the rules over history, as `rebalancer backtest` does.

    prices: a frame of closes (times by symbols) or of long rows, or a file. targets_or_signals: target weights or
    scores with their times, a frame or a file. rules: the built-in ones by default. costs: None for the usual ones,
    "none" for none. actions: a file of dividends and splits; prices are raw then, and adjusted without. delisted: what
    a name is worth that stays without prices. ledger: the file that every trial is appended to; None: that of the
    command. Names have no sectors here. Its `document()` is what the command prints,
    `result.equity` the equity at every bar. Raises BadDocument naming row and column of what cannot be used.
    """
    from rebalancer.research.backtest import BacktestRequest
    from rebalancer.research.market import NO_COSTS
    from rebalancer.research.market import CostModel as Usual
    from rebalancer.research.recorded_trials import recorded
    from rebalancer.research.trial_ledger import ledger_path

    model = NO_COSTS if costs == "none" else costs or Usual()
    return recorded(
        BacktestRequest(
            prices,
            targets_or_signals,
            rules or Rules(),
            preset,
            None,
            None,
            model,
            fill,
            rebalance,
            equity,
            actions,
            delisted,
        ),
        ledger_path(ledger),
        SystemClock(),
    )


def write_signals(
    frame: DataFrame | Series[Any],
    name: str = "frame",
    *,
    complete: bool = False,
    close_all: bool = False,
    weights_of: Literal["equity", "capital"] | None = None,
    config: Sequence[Path] | None = None,
) -> Path:
    """Put a pandas frame into the folder of signals, where the next cycle reads it, and return the file.

    frame: target weights (columns symbol and weight, or dates by symbols), positions as pyfolio keeps them, a factor as
    alphalens does, or symbol, score and confidence; see docs/how-to/spreadsheet.md. name: of the file and of the
    source; writing it again replaces the whole book. complete: a name that is not in it is to be closed; close_all:
    also when it holds none. weights_of: what weights are fractions of; None leaves that to the rules. Raises
    BadDocument, naming every reason, for a frame that cannot be used; nothing is written then.
    """
    from rebalancer.signals.formats.written import write_frame

    setup = load_setup(config)
    folder = setup.root / setup.rules.signals.path
    if SOURCE.fullmatch(name) is None:
        raise BadDocument("write_signals", f"{name[:40]!r} cannot be a source", "use letters, digits, dots and dashes")
    if folder.suffix:
        raise BadDocument("signals.path", "is a file", "let it be a folder, or write that file yourself")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_frame(frame, path, SystemClock().wall(), complete=complete, close_all=close_all, weights_of=weights_of)
    return path


def account(config: Sequence[Path] | None = None) -> Account:
    """The account as the broker reports it now, USD. Raises BrokerUnavailable and CredentialsRefused."""
    with read_only(load_setup(config)) as broker:
        return broker.account()


def positions(config: Sequence[Path] | None = None) -> tuple[Position, ...]:
    """The positions at the broker now, in signed shares, by symbol. Raises BrokerUnavailable and CredentialsRefused."""
    with read_only(load_setup(config)) as broker:
        return tuple(sorted(broker.positions(), key=lambda position: position.symbol))


def orders(
    status: OrderStatus = "open", limit: int = 100, config: Sequence[Path] | None = None
) -> tuple[BrokerOrder, ...]:
    """The newest orders at the broker, whoever sent them, newest first; those that have ended of the last 30 days.

    Raises ValueError for another status or a negative limit, BrokerUnavailable and CredentialsRefused.
    """
    if status not in ("open", "closed", "all") or limit < 0:
        raise ValueError(f"orders(status={status!r}, limit={limit}): status is open, closed or all; limit 0 or more")
    return newest_orders(load_setup(config), status, limit)


def performance_summary(days: int | None = 30, config: Sequence[Path] | None = None) -> Summary:
    """The results of the last `days` calendar days, None: since the records began. Before the first cycle a summary of
    nothing, whose `last` is None."""
    setup = load_setup(config)
    rules = setup.rules.reporting
    return summary_of(
        _history(setup),
        rules.lot_method,
        risk_free_rate=rules.risk_free_rate,
        days=days,
        benchmark=_benchmark(setup),
    )


def recent_trades(limit: int = 100, config: Sequence[Path] | None = None) -> tuple[Fill, ...]:
    """The newest fills of the account with their fees, newest first. Raises ValueError for a negative limit."""
    if limit < 0:
        raise ValueError(f"recent_trades(limit={limit}): 0 or more")
    history = _history(load_setup(config))
    return with_fees(history.fills, history.cash)[0][::-1][:limit]


def run_once(*, dry_run: bool = False, config: Sequence[Path] | None = None) -> RunRecord:
    """Run one cycle now and write its report, as `rebalancer run-now` does; dry_run: decide, send nothing.

    A report that cannot be written is a warning, since the trading is done. Raises LockHeld when another run holds the
    lock, BrokerUnavailable, CredentialsRefused, and BadDocument also for a live account whose switches do not agree.
    """
    setup = load_setup(config)
    refuse_strange_sectors(setup)
    with RunLock(setup.state / "run.lock"), connected(setup) as connection:
        record = execute(setup, connection, dry_run=dry_run)
    try:
        write_report(record, setup.reports)
    except ReportNotWritten as error:
        warnings.warn(f"the report was not written: {error}", stacklevel=2)
    if not dry_run:
        deliver_now(setup, record.snapshot.account.id)
    return record


def _benchmark(setup: Setup) -> Benchmark:
    """The closes of the benchmark that the account which ran last knows."""
    name = setup.rules.reporting.benchmark
    if not setup.has_journal:
        return benchmark_of(setup.state, name)
    with Journal.open(setup.journal) as journal:
        newest = next(iter(journal.cycles(None, 1)), None)
        if newest is None:
            return benchmark_of(setup.state, name)
        return benchmark_closes(journal, newest.account_id, name, setup.state)


def _history(setup: Setup) -> AccountHistory:
    """The trading history of the account that ran last; empty before the first cycle."""
    if not setup.has_journal:
        return AccountHistory()
    with Journal.open(setup.journal) as journal:
        newest = next(iter(journal.cycles(None, 1)), None)
        return AccountHistory() if newest is None else ledger_of(journal, newest.account_id)
