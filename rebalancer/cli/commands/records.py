"""The commands that show what was and what is: `status`, `monitor`, `positions`, `orders`, `explain`, `history`,
`performance`, `export`, `report`, `replay`, `alerts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli import complete
from rebalancer.cli.commands.shared import Config, Json, KeptGoing, NoColour, RunFolder, State, refuse
from rebalancer.cli.help import Commands

alerts_app = Commands(
    help="Alerts that were sent, and a test of the channels. "
    "Example: rebalancer alerts --limit 5 | rebalancer alerts test",
    rich_markup_mode=None,
)


def status(
    json: Json = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the broker too, and show both.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")] = False,
    state: State = None,
    exit_code: KeptGoing = False,
    no_color: NoColour = False,
) -> None:
    """Show where things stand, from the local journal alone.

    Example: rebalancer status | rebalancer status --json | rebalancer status --live | rebalancer status --watch
    """
    from rebalancer.settings.live_trading import COMMAND_LINE

    said = COMMAND_LINE.get()
    live = live or (said is not None and said.live)  # an option of every command, which is taken before they are parsed
    if exit_code and (live or watch or state is not None):
        refuse("--exit-code goes with none of --live, --watch and --state")
    if state is not None:
        if live or watch:
            refuse("--state goes with neither --live nor --watch")
        from rebalancer.cli.status_of_state import status_of

        raise typer.Exit(status_of(state, as_json=json, colour=not no_color))
    if watch:
        if live or json:
            refuse("--watch goes with neither --live nor --json")
        from rebalancer.cli.status import watch_status

        raise typer.Exit(watch_status(colour=not no_color))
    if live:
        from rebalancer.cli.status_live import show_both

        raise typer.Exit(show_both(as_json=json, colour=not no_color))
    from rebalancer.cli.status import show_status

    raise typer.Exit(show_status(as_json=json, colour=not no_color, exit_code=exit_code))


def monitor(
    minutes: Annotated[
        int, typer.Argument(min=1, max=10_080, help="How far back, in minutes of the account's clock.")
    ] = 60,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show what became of the signals of the last minutes, how many were executed, and why the others were not; on a
    terminal live, until Ctrl-C. From the local journal alone.

    Example: rebalancer monitor | rebalancer monitor 15 | rebalancer monitor 390 --json
    """
    from rebalancer.cli.monitor import show_monitor

    raise typer.Exit(show_monitor(minutes, as_json=json, colour=not no_color))


def positions(config: Config = None, json: Json = False, no_color: NoColour = False) -> None:
    """Show what the broker holds now: shares, value, weight, unrealised profit.

    Example: rebalancer positions | rebalancer positions --json
    """
    from rebalancer.cli.holdings import show_positions

    raise typer.Exit(show_positions(config, as_json=json, colour=not no_color))


def orders(
    config: Config = None,
    status: Annotated[str, typer.Option(help="open, closed or all.")] = "all",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show the newest orders at the broker, whoever sent them; those that have ended of the last 30 days.

    Example: rebalancer orders | rebalancer orders --status open | rebalancer orders --limit 100 --json
    """
    from rebalancer.cli.holdings import show_orders

    raise typer.Exit(show_orders(config, status=status, limit=limit, as_json=json, colour=not no_color))


def explain(
    symbol: Annotated[str, typer.Argument(help="Such as AAPL or BTC/USD.", autocompletion=complete.symbols)],
    cycle: Annotated[
        str | None, typer.Option(help="A past cycle's id; the last one when left out.", autocompletion=complete.cycles)
    ] = None,
    bar: Annotated[str | None, typer.Option(help="A bar of a backtest: a day, or the time of the bar.")] = None,
    run: Annotated[Path, typer.Option(help="The folder of that backtest, its --out.")] = Path(),
    config: Config = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show why a symbol was or was not traded.

    Example: rebalancer explain AAPL | rebalancer explain AAPL --cycle 2026-11-20T15:35Z |
    rebalancer explain AAPL --bar 2026-01-05 --run run
    """
    if bar is not None:
        from rebalancer.cli.explain_bar import show_bar

        if cycle is not None:
            refuse("--bar does not go with --cycle")
        raise typer.Exit(show_bar(symbol, bar, run, as_json=json, colour=not no_color))
    from rebalancer.cli.history import show_explanation

    raise typer.Exit(show_explanation(symbol, cycle, config, as_json=json, colour=not no_color))


def history(
    config: Config = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many cycles, newest first.")] = 20,
    json: Json = False,
    form: Annotated[str | None, typer.Option("--format", help="csv or json: cycles as a table, oldest first.")] = None,
    no_color: NoColour = False,
) -> None:
    """List past cycles. Example: rebalancer history | rebalancer history --limit 5 | rebalancer history --format csv"""
    from rebalancer.cli.history import show_history

    if form is not None:
        from rebalancer.cli.export import export_table

        raise typer.Exit(export_table("cycles", config, form=form, since=None, to=None, limit=limit))
    raise typer.Exit(show_history(limit, config, as_json=json, colour=not no_color))


def performance(
    config: Config = None,
    days: Annotated[int, typer.Option(min=1, max=100_000, help="The last so many calendar days.")] = 30,
    everything: Annotated[bool, typer.Option("--all", help="Everything since the first daily close.")] = False,
    state: State = None,
    backtest: RunFolder = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show what trading came to: returns, ratios, round trips, costs.

    Example: rebalancer performance | rebalancer performance --days 90 | rebalancer performance --all --json
    """
    from rebalancer.cli.performance import show_performance

    _one_of(state, backtest)
    period = None if everything else days
    raise typer.Exit(
        show_performance(config, days=period, as_json=json, colour=not no_color, state=state, backtest=backtest)
    )


def export(
    what: Annotated[str, typer.Argument(help="trips, fills, orders, positions, cycles, performance or tradervue.")],
    config: Config = None,
    form: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    since: Annotated[str | None, typer.Option(help="From this day on, such as 2026-11-20.")] = None,
    to: Annotated[Path | None, typer.Option(help="A file, written whole; stdout when left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tradervue: show what would be sent.")] = False,
    state: State = None,
    backtest: RunFolder = None,
) -> None:
    """Write trips, fills, orders, positions, cycles or days for other programs, or copy executions to Tradervue.

    Example: rebalancer export trips | rebalancer export fills --json --since 2026-11-20 --to fills.json
    """
    from rebalancer.cli.export import export_table, export_to_tradervue

    if what == "tradervue":
        raise typer.Exit(export_to_tradervue(config, dry_run=dry_run))
    if dry_run:
        refuse("--dry-run can only be used with tradervue")
    _one_of(state, backtest)
    form = "json" if json else form
    raise typer.Exit(export_table(what, config, form=form, since=since, to=to, state=state, backtest=backtest))


def _one_of(state: Path | None, backtest: Path | None) -> None:
    if state is not None and backtest is not None:
        refuse("give --state or --backtest, not both")


def report(
    config: Config = None,
    period: Annotated[
        str, typer.Option(help="day, week, month, year or all.", autocompletion=complete.periods)
    ] = "day",
    day: Annotated[
        str | None, typer.Option(help="A day in the period, such as 2026-11-20; the last one if not.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="html, json or mail.")] = "html",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    state: State = None,
    show: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
) -> None:
    """Write the report of a day, a week, a month.

    Example: rebalancer report --open | rebalancer report --period week | rebalancer report --day 2026-11-20 --json
    """
    from rebalancer.cli.report import make_report

    form = "json" if json else form
    raise typer.Exit(make_report(config, period=period, day=day, form=form, show=show, state=state))


def replay(
    cycle: Annotated[str | None, typer.Argument(help="The cycle's id.", autocompletion=complete.cycles)] = None,
    all_cycles: Annotated[bool, typer.Option("--all", help="Every stored cycle.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="The cycles from this day on, with --config.")] = None,
    config: Annotated[
        list[Path] | None, typer.Option("--config", help="With a cycle or --since: what these rules would decide.")
    ] = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Plan stored cycles again; silent when every plan comes out the same. With the rules of another configuration:
    what they would have decided otherwise.

    Example: rebalancer replay --all | rebalancer replay --since 2026-11-20 --config other.yaml
    """
    if config and not all_cycles:
        from rebalancer.cli.what_if import replay_with

        if (cycle is None) == (since is None):
            refuse("name one cycle, or --since")
        raise typer.Exit(replay_with(config, cycle, since, as_json=json, colour=not no_color))
    from rebalancer.cli.history import replay_cycles

    if since is not None:
        refuse("--since goes with --config OTHER")
    if (cycle is None) == (not all_cycles):
        refuse("name one cycle, or --all")
    raise typer.Exit(replay_cycles(cycle, config, as_json=json))


@alerts_app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    config: Config = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """List alerts and what became of each."""
    from rebalancer.cli.alerts import show_alerts

    if context.invoked_subcommand is None:
        raise typer.Exit(show_alerts(config, limit=limit, as_json=json, colour=not no_color))


@alerts_app.command("test")
def alerts_test(config: Config = None) -> None:
    """Send a test message through every channel. Example: rebalancer alerts test"""
    from rebalancer.cli.alerts import test_channels

    raise typer.Exit(test_channels(config))
