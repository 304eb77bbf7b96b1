"""The commands that trade or show what would be traded: `run-now`, `plan`, `demo`, `session`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json, NoColour, Standby, refuse

Only = Annotated[
    list[str] | None, typer.Option("--only", help="Trade only these symbols; repeat the option, or use commas.")
]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Do not trade these symbols.")]
SellOnly = Annotated[bool, typer.Option("--sell-only", help="Only sales.")]
BuyOnly = Annotated[bool, typer.Option("--buy-only", help="Only purchases.")]
Cash = Annotated[str | None, typer.Option("--cash", help="USD that are to leave the account, such as -5000.")]
Turnover = Annotated[str | None, typer.Option("--max-turnover", help="Value of all trades, such as 10%; not of exits.")]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="Carry out this saved plan; refuse if the market has moved beyond the tolerance."),
]
Tolerance = Annotated[
    str | None, typer.Option("--tolerance", help="Of the plan's quantities, such as 2%; of prices half.")
]
Save = Annotated[Path | None, typer.Option("--save", help="Write the plan to this file, for run-now --plan.")]


def run_now(
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and show everything, send nothing.")] = False,
    only: Only = None,
    exclude: Exclude = None,
    sell_only: SellOnly = False,
    buy_only: BuyOnly = False,
    cash: Cash = None,
    max_turnover: Turnover = None,
    agreed: PlanFile = None,
    tolerance: Tolerance = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Run one rebalance now and write its report.

    Example: rebalancer run-now | rebalancer run-now --plan plan.json | rebalancer run-now --only AAPL,MSFT --sell-only
    """
    from rebalancer.cli.run import run_and_show
    from rebalancer.cli.selection import SelectionOptions

    chosen = SelectionOptions(only or (), exclude or (), sell_only, buy_only, cash, max_turnover)
    raise typer.Exit(
        run_and_show(
            config,
            chosen,
            dry_run=dry_run,
            as_json=json,
            colour=not no_color,
            exit_code=False,
            agreed=agreed,
            tolerance=tolerance,
        )
    )


def plan(
    snapshot: Annotated[Path | None, typer.Option(help="Plan this snapshot file; touches nothing else.")] = None,
    config: Config = None,
    json: Json = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when trades are due.")] = False,
    only: Only = None,
    exclude: Exclude = None,
    sell_only: SellOnly = False,
    buy_only: BuyOnly = False,
    cash: Cash = None,
    max_turnover: Turnover = None,
    save: Save = None,
    no_color: NoColour = False,
) -> None:
    """Show what would be traded and why.

    Example: rebalancer plan | rebalancer plan --save plan.json | rebalancer plan --snapshot day.json --json
    """
    from rebalancer.cli.run import plan_file, run_and_show
    from rebalancer.cli.selection import SelectionOptions

    chosen = SelectionOptions(only or (), exclude or (), sell_only, buy_only, cash, max_turnover)
    if snapshot is not None:
        raise typer.Exit(plan_file(snapshot, config, chosen, as_json=json, exit_code=exit_code, save=save))
    raise typer.Exit(
        run_and_show(config, chosen, dry_run=True, as_json=json, colour=not no_color, exit_code=exit_code, save=save)
    )


def demo(
    show: Annotated[bool, typer.Option("--open", help="Show the report in a browser at the end.")] = False,
) -> None:
    """Play a whole trading day on the embedded exchange, in about a minute.

    Example: rebalancer demo | rebalancer demo --open
    """
    from rebalancer.cli.demo import run_demo

    raise typer.Exit(run_demo(show=show))


def session(
    config: Config = None,
    speed: Annotated[
        float | None, typer.Option(min=1, max=100_000, help="Embedded exchange: play the next day this fast.")
    ] = None,
    day: Annotated[str | None, typer.Option(help="Embedded exchange: the day to play, such as 2026-11-20.")] = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when standard input closes, as under a desk.")
    ] = False,
    standby: Standby = False,
    every_day: Annotated[
        bool, typer.Option("--every-day", help="Go on day after day, as where there is no systemd.")
    ] = False,
) -> None:
    """Run the trading day: a cycle every five minutes from open to close.

    Example: rebalancer session | rebalancer session --speed 3600 --day 2026-11-20 | rebalancer session --every-day
    """
    if every_day:
        if speed is not None or day is not None or with_parent:
            refuse("--every-day goes with none of --speed, --day and --with-parent")
        from rebalancer.cli.desk import run_every_day

        raise typer.Exit(run_every_day(config, standby=standby))
    from rebalancer.cli.session import run_trading_day

    raise typer.Exit(run_trading_day(config, speed=speed, day=day, with_parent=with_parent, standby=standby))
