"""Every command of `rebalancer`: parse and call. Each imports what it needs when it is called.

Data goes to stdout, messages to stderr. Exit codes: 0 done (also nothing to do), 1 unexpected, 2 usage, 3 trades due
(`plan --exit-code`), 4 finished but not all filled, or constrained, 5 halted by kill switch, limit or an unknown order,
69 broker or data unavailable, 75 another run holds the lock, 77 credentials refused, 78 bad configuration, input or
journal; 143 and 130 after SIGTERM and SIGINT (`run-now`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rebalancer import __version__
from rebalancer.cli import complete
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.help import Commands

app = Commands(
    name="rebalancer",
    help="A scheduled batch portfolio rebalancer for Alpaca accounts.\n\n"
    "Example: rebalancer demo | rebalancer run-now | rebalancer status | rebalancer explain AAPL",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = Commands(help="Show, check and document the configuration.", no_args_is_help=True, rich_markup_mode=None)
exchange_app = Commands(help="The embedded paper exchange.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(exchange_app, name="exchange")
alerts_app = typer.Typer(help="What was told to people, and a test of the channels.", rich_markup_mode=None)
app.add_typer(alerts_app, name="alerts")
db_app = Commands(help="Copies of the journal, and the way back.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(db_app, name="db")

Config = Annotated[list[Path] | None, typer.Option("--config", help="Configuration file; repeat it, later ones win.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output, decimals as strings.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Trade these symbols and no others; repeat, or commas.")]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Leave these symbols alone.")]
SellOnly = Annotated[bool, typer.Option("--sell-only", help="Only sales.")]
BuyOnly = Annotated[bool, typer.Option("--buy-only", help="Only purchases.")]
Cash = Annotated[str | None, typer.Option("--cash", help="USD that are to leave the account, such as -5000.")]
Turnover = Annotated[str | None, typer.Option("--max-turnover", help="Value of all trades, such as 10%; not of exits.")]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="Carry out this saved plan; refuse when it has moved.")]
Tolerance = Annotated[
    str | None, typer.Option("--tolerance", help="Of the plan's quantities, such as 2%; of prices half.")
]
Save = Annotated[Path | None, typer.Option("--save", help="Write the plan to this file, for run-now --plan.")]
NoColour = Annotated[bool, typer.Option("--no-color", help="No colours (also: NO_COLOR).")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Examples: `rebalancer run-now`, `rebalancer plan`, `rebalancer status`, `rebalancer explain AAPL`.

    Every command also takes --profile NAME, --environment development|production, --live, --yes, -v and -q (log more,
    log errors alone).
    """
    if version:
        typer.echo(f"rebalancer {__version__}")
        raise typer.Exit


@app.command("run-now")
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
    from rebalancer.cli.selection import Wish

    wish = Wish(only or (), exclude or (), sell_only, buy_only, cash, max_turnover)
    raise typer.Exit(
        run_and_show(
            config,
            wish,
            dry_run=dry_run,
            as_json=json,
            colour=not no_color,
            exit_code=False,
            agreed=agreed,
            tolerance=tolerance,
        )
    )


@app.command()
def plan(
    snapshot: Annotated[Path | None, typer.Option(help="Plan this snapshot file; touches nothing else.")] = None,
    config: Config = None,
    json: Json = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="ExitCode with 3 when trades are due.")] = False,
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
    from rebalancer.cli.selection import Wish

    wish = Wish(only or (), exclude or (), sell_only, buy_only, cash, max_turnover)
    if snapshot is not None:
        raise typer.Exit(plan_file(snapshot, config, wish, as_json=json, exit_code=exit_code, save=save))
    raise typer.Exit(
        run_and_show(config, wish, dry_run=True, as_json=json, colour=not no_color, exit_code=exit_code, save=save)
    )


@app.command()
def demo(
    show: Annotated[bool, typer.Option("--open", help="Show the report in a browser at the end.")] = False,
) -> None:
    """Play a whole trading day on the embedded exchange in under a minute.

    Example: rebalancer demo | rebalancer demo --open
    """
    from rebalancer.cli.demo import run_demo

    raise typer.Exit(run_demo(show=show))


@app.command()
def session(
    config: Config = None,
    speed: Annotated[
        float | None, typer.Option(min=1, max=100_000, help="Embedded exchange: play the next day this fast.")
    ] = None,
    day: Annotated[str | None, typer.Option(help="Embedded exchange: the day to play, such as 2026-11-20.")] = None,
) -> None:
    """Run the trading day: a cycle every five minutes from open to close.

    Example: rebalancer session | rebalancer session --speed 3600 --day 2026-11-20
    """
    from rebalancer.cli.session import run_trading_day

    raise typer.Exit(run_trading_day(config, speed=speed, day=day))


@app.command()
def status(
    json: Json = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the broker too, and show both.")] = False,
    no_color: NoColour = False,
) -> None:
    """Show where things stand, from the local journal alone.

    Example: rebalancer status | rebalancer status --json | rebalancer status --live
    """
    from rebalancer.cli.status import show_status

    raise typer.Exit(show_status(as_json=json, colour=not no_color, live=live))


@app.command()
def explain(
    symbol: Annotated[str, typer.Argument(help="Such as AAPL or BTC/USD.", autocompletion=complete.symbols)],
    cycle: Annotated[
        str | None, typer.Option(help="A past cycle's id; the last one when left out.", autocompletion=complete.cycles)
    ] = None,
    config: Config = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show why a symbol was or was not traded.

    Example: rebalancer explain AAPL | rebalancer explain BTC/USD --cycle 2026-11-20T15:35Z
    """
    from rebalancer.cli.history import show_explanation

    raise typer.Exit(show_explanation(symbol, cycle, config, as_json=json, colour=not no_color))


@app.command()
def history(
    config: Config = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many cycles, newest first.")] = 20,
    json: Json = False,
    form: Annotated[str | None, typer.Option("--format", help="csv or json: cycles as a table, oldest first.")] = None,
    no_color: NoColour = False,
) -> None:
    """List past cycles. Example: rebalancer history --limit 5 | rebalancer history --format csv"""
    from rebalancer.cli.history import show_history

    if form is not None:
        from rebalancer.cli.export import export_table

        raise typer.Exit(export_table("cycles", config, form=form, since=None, to=None, limit=limit))
    raise typer.Exit(show_history(limit, config, as_json=json, colour=not no_color))


@app.command()
def performance(
    config: Config = None,
    days: Annotated[int, typer.Option(min=1, max=100_000, help="The last so many calendar days.")] = 30,
    everything: Annotated[bool, typer.Option("--all", help="Everything since the books began.")] = False,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show what trading came to: returns, ratios, round trips, costs.

    Example: rebalancer performance | rebalancer performance --days 90 | rebalancer performance --all --json
    """
    from rebalancer.cli.performance import show_performance

    raise typer.Exit(show_performance(config, days=None if everything else days, as_json=json, colour=not no_color))


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="trips, fills, orders, cycles, performance or tradervue.")],
    config: Config = None,
    form: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    since: Annotated[str | None, typer.Option(help="From this day on, such as 2026-11-20.")] = None,
    to: Annotated[Path | None, typer.Option(help="A file, written whole; stdout when left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tradervue: show what would be sent.")] = False,
) -> None:
    """Write trips, fills, orders, cycles or days for other programs, or copy executions to Tradervue.

    Example: rebalancer export trips | rebalancer export fills --format json --since 2026-11-20 --to fills.json
    """
    from rebalancer.cli.export import export_table, export_to_tradervue

    if what == "tradervue":
        raise typer.Exit(export_to_tradervue(config, dry_run=dry_run))
    if dry_run:
        _usage("--dry-run goes with tradervue alone")
    raise typer.Exit(export_table(what, config, form=form, since=since, to=to))


@app.command()
def report(
    config: Config = None,
    period: Annotated[
        str, typer.Option(help="day, week, month, year or all.", autocompletion=complete.periods)
    ] = "day",
    day: Annotated[
        str | None, typer.Option(help="A day in the period, such as 2026-11-20; the last one if not.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="html, json or mail.")] = "html",
    show: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
) -> None:
    """Write the report of a day, a week, a month.

    Example: rebalancer report --open | rebalancer report --period week | rebalancer report --day 2026-11-20
    """
    from rebalancer.cli.report import make_report

    raise typer.Exit(make_report(config, period=period, day=day, form=form, show=show))


@app.command()
def replay(
    cycle: Annotated[str | None, typer.Argument(help="The cycle's id.", autocompletion=complete.cycles)] = None,
    all_cycles: Annotated[bool, typer.Option("--all", help="Every stored cycle.")] = False,
    config: Config = None,
) -> None:
    """Plan stored cycles again; silent when every plan comes out the same.

    Example: rebalancer replay --all | rebalancer replay 2026-11-20T15:35Z
    """
    from rebalancer.cli.history import replay_cycles

    if (cycle is None) == (not all_cycles):
        _usage("name one cycle, or --all")
    raise typer.Exit(replay_cycles(cycle, config))


@app.command()
def kill(
    reason: Annotated[str, typer.Option(help="Why; shown until it is lifted.")] = "stopped by hand",
    cancel: Annotated[bool, typer.Option("--cancel", help="Also cancel our open orders.")] = False,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Also cancel all open orders and close every position.")
    ] = False,
    config: Config = None,
) -> None:
    """Stop everything: nothing is sent until `resume`. The switch is set first; then, on a terminal and without --yes,
    --flatten shows what is held and asks.

    Example: rebalancer kill | rebalancer kill --cancel | rebalancer kill --cancel --flatten
    """
    from rebalancer.cli.kill import throw

    raise typer.Exit(throw(config, reason=reason, cancel=cancel, flatten=flatten))


@app.command()
def resume(
    reason: Annotated[str, typer.Option(help="Why it is safe again; kept in the journal.")],
    config: Config = None,
) -> None:
    """Lift the kill switch and whatever is latched. On a terminal and without --yes it shows what the next cycle would
    buy, and asks. Example: rebalancer resume --reason "quotes are back" """
    from rebalancer.cli.kill import lift

    raise typer.Exit(lift(config, reason=reason))


@app.command("arm-live")
def arm_live(
    account: Annotated[str, typer.Option(help="The last four characters of the account that may be traded.")],
    hours: Annotated[int, typer.Option(min=1, max=168, help="How long, in hours.")] = 12,
    config: Config = None,
) -> None:
    """Stand in for --live until it expires; the other switches must be on too.

    Example: rebalancer arm-live --account 1234 --hours 12
    """
    from rebalancer.cli.arm import arm_account

    raise typer.Exit(arm_account(config, account=account, hours=hours))


@app.command()
def doctor(
    config: Config = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: this machine only.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Also try what a systemd unit must forbid.")] = False,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Look at everything that a trading day needs, each with its fix.

    Example: rebalancer doctor | rebalancer doctor --offline --json
    """
    from rebalancer.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(config, offline=offline, sandbox=sandbox, as_json=json, colour=not no_color))


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write; the current folder when left out.")] = Path(),
) -> None:
    """Write a configuration, a sector file and the folders that a new project needs; nothing is overwritten."""
    from rebalancer.cli.init import write_project

    raise typer.Exit(write_project(directory))


@config_app.command("show")
def config_show(
    config: Config = None,
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    json: Json = False,
) -> None:
    """Print the rules in force. Example: rebalancer config show --origin"""
    from rebalancer.cli.configuration import show_rules

    raise typer.Exit(show_rules(config, origin=origin, as_json=json))


@config_app.command("check")
def config_check(config: Config = None) -> None:
    """Read the configuration, the signals and the sectors, and report every mistake."""
    from rebalancer.cli.configuration import check_rules

    raise typer.Exit(check_rules(config))


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from rebalancer.cli.configuration import show_schema

    raise typer.Exit(show_schema())


@alerts_app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    config: Config = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """List alerts and what became of each. Example: rebalancer alerts --limit 5; rebalancer alerts test"""
    from rebalancer.cli.alerts import show_alerts

    if context.invoked_subcommand is None:
        raise typer.Exit(show_alerts(config, limit=limit, as_json=json, colour=not no_color))


@alerts_app.command("test")
def alerts_test(config: Config = None) -> None:
    """Send a test message through every channel. Example: rebalancer alerts test"""
    from rebalancer.cli.alerts import test_channels

    raise typer.Exit(test_channels(config))


@db_app.command("backup")
def db_backup(
    to: Annotated[Path | None, typer.Option(help="A folder; backups, beside the journal, when left out.")] = None,
    keep: Annotated[int, typer.Option(min=1, max=100_000, help="How many copies stay, the newest.")] = 14,
    config: Config = None,
    json: Json = False,
) -> None:
    """Copy the journal, also while a session runs, and verify the copy. Example: rebalancer db backup --to /mnt/usb"""
    from rebalancer.cli.db import back_up

    raise typer.Exit(back_up(config, to=to, keep=keep, as_json=json))


@db_app.command("check")
def db_check(
    file: Annotated[Path | None, typer.Argument(help="A copy; the journal in use when left out.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Read a whole journal and check every row. Example: rebalancer db check"""
    from rebalancer.cli.db import check_file

    raise typer.Exit(check_file(config, file, as_json=json))


@db_app.command("restore")
def db_restore(
    file: Annotated[Path, typer.Argument(help="The copy.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")],
    config: Config = None,
) -> None:
    """Put a copy in the journal's place, once it is verified; what was there is kept.

    Example: rebalancer db restore journal-20261120T210500Z.sqlite --reason "the disk died"
    """
    from rebalancer.cli.db import restore_file

    raise typer.Exit(restore_file(config, file, reason=reason))


@exchange_app.command("serve")
def exchange_serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8899,
    state: Annotated[Path | None, typer.Option(help="SQLite file that keeps everything; memory when left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 7,
    start: Annotated[str | None, typer.Option(help="Simulated start time, such as 2026-11-20T15:05:00Z.")] = None,
    cash: Annotated[str, typer.Option(help="Opening cash, USD.")] = "100000",
    speed: Annotated[float, typer.Option(min=0, help="Simulated seconds per second.")] = 1.0,
    key: Annotated[str | None, typer.Option(help="Accept only this key id.")] = None,
    secret: Annotated[str | None, typer.Option(help="Accept only this secret.")] = None,
    faults: Annotated[Path | None, typer.Option(help="YAML or JSON file of faults: what goes wrong, and when.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Directory of recorded bars, CSV or Parquet, to play back.")
    ] = None,
    admin_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Loopback port that steps time and faults; 0 picks one.")
    ] = None,
    schedule: Annotated[
        Path | None, typer.Option(help="YAML or JSON file of dividends, splits, halts and borrowing.")
    ] = None,
    corporate_actions: Annotated[bool, typer.Option(help="The seed's own dividends and splits.")] = True,
    charges: Annotated[bool, typer.Option(help="Fees and interest, which paper accounts do not pay.")] = False,
    legacy_day_trading: Annotated[bool, typer.Option(help="The day-trading rule that ended on 2026-06-04.")] = False,
    multiplier: Annotated[int, typer.Option(help="Margin of the account: 1, 2 or 4.")] = 2,
) -> None:
    """Serve the embedded paper exchange. Example: rebalancer exchange serve --port 8899 --state exchange.sqlite"""
    from rebalancer.cli.embedded import serve_exchange

    raise typer.Exit(
        serve_exchange(
            host=host,
            port=port,
            state=state,
            seed=seed,
            start=start,
            cash=cash,
            speed=speed,
            key=key,
            secret=secret,
            faults=faults,
            replay=replay,
            admin_port=admin_port,
            schedule=schedule,
            corporate_actions=corporate_actions,
            charges=charges,
            legacy_day_trading=legacy_day_trading,
            multiplier=multiplier,
        )
    )


def _usage(problem: str) -> NoReturn:
    typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(ExitCode.USAGE)
