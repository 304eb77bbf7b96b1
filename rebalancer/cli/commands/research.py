"""The commands that look at history: `backtest`, `grid`, `search`, `walk-forward`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json, NoColour, State, refuse

Ledger = Annotated[
    Path | None, typer.Option("--ledger", help="The ledger of all trials; by default in the state folder.")
]
Grid = Annotated[Path, typer.Option("--grid", help="The keys and their values, and options of the backtest.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the results; what is there is not computed again.")]
Prices = Annotated[Path | None, typer.Option("--prices", help="CSV, Parquet, Alpaca's JSON, or a folder.")]
Targets = Annotated[Path | None, typer.Option("--targets", help="Target weights by date.")]
Signals = Annotated[Path | None, typer.Option("--signals", help="Scores with their times, instead.")]
Workers = Annotated[int, typer.Option("--workers", help="Processes on this machine.")]
Scheduler = Annotated[str, typer.Option("--scheduler", help="Address of a Dask scheduler: its workers compute.")]
RankBy = Annotated[str, typer.Option("--by", help="sharpe, return_a_year, total_return or max_drawdown.")]


def backtest(
    prices: Annotated[
        Path | None,
        typer.Option("--prices", help="CSV, Parquet, Alpaca's JSON, a folder; journal; broker, broker:5Min."),
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", help="What a broker is asked for, such as AAPL,MSFT.")
    ] = None,
    targets: Annotated[
        Path | None, typer.Option("--targets", help="Target weights by date, in any format of signals.")
    ] = None,
    signals: Annotated[Path | None, typer.Option("--signals", help="Scores with their times, instead.")] = None,
    journal: Annotated[
        bool, typer.Option("--journal", help="The recorded cycles, beside what was really planned.")
    ] = False,
    config: Config = None,
    preset: Annotated[str | None, typer.Option(help="bare: no limits, bands or minimum trades.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day, New York, such as 2026-11-20.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    no_costs: Annotated[bool, typer.Option("--no-costs", help="Trading and holding cost nothing.")] = False,
    fill: Annotated[str, typer.Option(help="next_open, next_vwap, next_close or same_close.")] = "next_open",
    rebalance: Annotated[
        str, typer.Option(help="every_bar, or on_targets: where something new is said.")
    ] = "every_bar",
    equity: Annotated[float, typer.Option(help="USD in cash at the first bar.")] = 100_000.0,
    half_spread: Annotated[float | None, typer.Option(help="Basis points that a fill pays.")] = None,
    impact: Annotated[float | None, typer.Option(help="Coefficient of the square-root impact.")] = None,
    participation: Annotated[float | None, typer.Option(help="Largest part of a bar's volume, such as 0.1.")] = None,
    interest: Annotated[float | None, typer.Option(help="A year on borrowed money, such as 0.065.")] = None,
    borrow: Annotated[float | None, typer.Option(help="A year on borrowed shares, such as 0.003.")] = None,
    actions: Annotated[Path | None, typer.Option(help="Dividends, splits, delistings; prices are raw then.")] = None,
    delisted: Annotated[
        str, typer.Option(help="last_price or write_off: what a name without prices is worth.")
    ] = "last_price",
    delisted_after: Annotated[int, typer.Option(help="Trading days without a price that mean a delisting.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for equity.csv, backtest.html and backtest.json.")
    ] = None,
    fills: Annotated[bool, typer.Option("--fills", help="Write fills.csv too, into the folder of --out.")] = False,
    benchmark: Annotated[str | None, typer.Option(help="A symbol of the prices to compare with.")] = None,
    profile_to: Annotated[Path | None, typer.Option(help="Write where the time went, for python -m pstats.")] = None,
    ledger: Ledger = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Run the rules over history, with costs, and let the live planner audit it.

    Example: rebalancer backtest --prices p.csv --targets w.csv | rebalancer backtest --prices p.csv --signals s.csv
    """
    from rebalancer.cli.backtest import BacktestOptions, show_backtest

    if journal and (prices or symbols or targets or signals or actions or preset):
        refuse("--journal has its own prices, signals and rules: leave --prices, --targets and their like out")
    if not journal and (targets is None) == (signals is None):
        refuse("give either --targets or --signals")
    if fills and out is None:
        refuse("--fills needs a folder: --out")
    if not journal and prices is None:
        refuse("give --prices, or --journal")
    if symbols is not None and not str(prices).startswith("broker:"):
        refuse("--symbols goes with --prices broker:5Min and its like: other prices have their own names")
    instructions = targets or signals
    options = BacktestOptions(
        prices, instructions, config, preset, first, last, no_costs, fill, rebalance, equity, half_spread, impact,
        participation, interest, borrow, out, benchmark, profile_to, actions, delisted, delisted_after, journal, fills,
        ledger, symbols,
    )  # fmt: skip
    raise typer.Exit(show_backtest(options, as_json=json, colour=not no_color))


def grid(
    grid_file: Grid,
    out: Out,
    prices: Prices = None,
    targets: Targets = None,
    signals: Signals = None,
    config: Config = None,
    workers: Workers = 1,
    scheduler: Scheduler = "",
    by: RankBy = "sharpe",
    ledger: Ledger = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Run every combination of the values of a file; what the folder has already is not computed again.

    Example: rebalancer grid --grid grid.yaml --workers 2 --out sweep
    """
    from rebalancer.cli.sweep import SweepOptions, show_sweep

    options = SweepOptions(grid_file, out, prices, targets, signals, config, workers, scheduler, by, ledger)
    raise typer.Exit(show_sweep(options, as_json=json, colour=not no_color))


def search(
    grid_file: Grid,
    out: Out,
    trials: Annotated[int, typer.Option("--trials", help="How many points are proposed.")],
    prices: Prices = None,
    targets: Targets = None,
    signals: Signals = None,
    config: Config = None,
    batch: Annotated[int, typer.Option("--batch", help="Points proposed at a time, before their results.")] = 8,
    workers: Workers = 1,
    scheduler: Scheduler = "",
    by: RankBy = "sharpe",
    ledger: Ledger = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Let Optuna propose points between the values of a file (extra `search`).

    Example: rebalancer search --grid grid.yaml --trials 60 --out sweep
    """
    from rebalancer.cli.sweep import SweepOptions, show_sweep

    if trials < 1 or batch < 1:
        refuse("--trials and --batch are 1 or more")
    options = SweepOptions(
        grid_file, out, prices, targets, signals, config, workers, scheduler, by, ledger, trials, batch
    )
    raise typer.Exit(show_sweep(options, as_json=json, colour=not no_color))


def walk_forward(
    grid_file: Grid,
    out: Out,
    train: Annotated[int, typer.Option("--train", help="Trading days of a training window.")],
    test: Annotated[int, typer.Option("--test", help="Trading days of the window after it.")],
    purge: Annotated[int, typer.Option("--purge", help="Days left out between the two.")] = 1,
    embargo: Annotated[int, typer.Option("--embargo", help="Days after a test window that no training uses.")] = 0,
    anchored: Annotated[bool, typer.Option("--anchored", help="Training always begins with the first day.")] = False,
    prices: Prices = None,
    targets: Targets = None,
    signals: Signals = None,
    config: Config = None,
    workers: Workers = 1,
    scheduler: Scheduler = "",
    ledger: Ledger = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Choose settings on training days, and look at them on the days after.

    Example: rebalancer walk-forward --grid g.yaml --train 504 --test 63 --out w
    """
    from rebalancer.cli.sweep import SweepOptions
    from rebalancer.cli.walk_forward import WalkOptions, show_walk_forward

    options = SweepOptions(grid_file, out, prices, targets, signals, config, workers, scheduler, "sharpe", ledger)
    walk = WalkOptions(train, test, purge, embargo, anchored)
    raise typer.Exit(show_walk_forward(options, walk, as_json=json, colour=not no_color))


def parity(
    since: Annotated[str | None, typer.Option("--since", help="First day, New York, such as 2026-11-20.")] = None,
    volumes: Annotated[
        Path | None, typer.Option("--volumes", help="Prices with volumes, by which market impact is seen.")
    ] = None,
    state: State = None,
    config: Config = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Plan stored cycles again, and compare what was filled with the model.

    Example: rebalancer parity --since 2026-11-20
    """
    from rebalancer.cli.parity import show_parity

    raise typer.Exit(show_parity(config, since, volumes, as_json=json, colour=not no_color, state=state))
