"""The commands for the machine and its files: `doctor`, `init`, `config`, `db`, and the embedded exchange."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rebalancer.cli.commands.shared import Config, Json, NoColour
from rebalancer.cli.help import Commands

config_app = Commands(help="Show, check and document the configuration.", no_args_is_help=True, rich_markup_mode=None)
exchange_app = Commands(help="The embedded paper exchange.", no_args_is_help=True, rich_markup_mode=None)
db_app = Commands(help="Back up, check and restore the journal.", no_args_is_help=True, rich_markup_mode=None)


def doctor(
    config: Config = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not contact the broker: this machine only.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Also try what a systemd unit must forbid.")] = False,
    soak: Annotated[bool, typer.Option("--soak", help="Also look back over the first days on an account.")] = False,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Look at everything that a trading day needs, each with its fix.

    Example: rebalancer doctor | rebalancer doctor --offline --json | rebalancer doctor --soak
    """
    from rebalancer.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(config, offline=offline, sandbox=sandbox, soak=soak, as_json=json, colour=not no_color))


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write; the current folder when left out.")] = Path(),
) -> None:
    """Write a configuration, a sector file, samples of signal files and the folders that a new project needs.

    Nothing is overwritten. On a terminal, and without --yes, eight questions are asked.

    Example: rebalancer init | rebalancer init my-project
    """
    from rebalancer.cli.init import write_project

    raise typer.Exit(write_project(directory))


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many, the newest.")] = 50,
) -> None:
    """Show the log of the session: of the background process, or systemd's.

    Example: rebalancer logs | rebalancer logs -f
    """
    from rebalancer.cli.logs import show_logs

    raise typer.Exit(show_logs(lines, follow=follow))


@config_app.command("show")
def config_show(
    config: Config = None,
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only what differs from the defaults.")] = False,
    json: Json = False,
) -> None:
    """Print the rules in force. Example: rebalancer config show --origin | rebalancer config show --changed"""
    from rebalancer.cli.configuration import show_rules

    raise typer.Exit(show_rules(config, origin=origin, changed=changed, as_json=json))


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


@db_app.command("drill")
def db_drill(config: Config = None, json: Json = False) -> None:
    """Restore the newest backup into a temporary folder, and check it there. Example: rebalancer db drill"""
    from rebalancer.cli.db import drill

    raise typer.Exit(drill(config, as_json=json))


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


@db_app.command("copy")
def db_copy(
    source: Annotated[str, typer.Option("--from", metavar="URL", help="A journal's file or address.")],
    target: Annotated[str, typer.Option("--to", metavar="URL", help="An empty or new one.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Copy a journal from one database into another, and compare every row.

    Example: rebalancer db copy --from journal.sqlite --to postgresql://me@db/desk
    """
    from rebalancer.cli.db import copy_between

    raise typer.Exit(copy_between(config, source, target, as_json=json))


@db_app.command("size")
def db_size(config: Config = None, json: Json = False) -> None:
    """Show what the journal's bytes are made of, how fast it grows, and when it reaches its limit.

    Example: rebalancer db size | rebalancer db size --json
    """
    from rebalancer.cli.db_size import show_size

    raise typer.Exit(show_size(config, as_json=json))


@db_app.command("archive")
def db_archive(
    before: Annotated[str, typer.Option(help="The first day that is not in it, such as 2026-11-01.")],
    to: Annotated[
        Path | None, typer.Option(help="The new file; journal-until-DATE.sqlite.gz here when left out.")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Then remove the snapshots, rules and plans that it holds.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write the journal up to a day to a compressed file, verified, that db check and db unpack read.

    Example: rebalancer db archive --before 2026-11-01 --to old.sqlite.gz --remove
    """
    from rebalancer.cli.db import archive_until

    raise typer.Exit(archive_until(config, before, to, remove=remove, as_json=json))


@db_app.command("unpack")
def db_unpack(
    file: Annotated[Path, typer.Argument(help="The archive.")],
    to: Annotated[Path, typer.Option(help="An empty or new folder, for --state of other commands.")],
) -> None:
    """Unpack and verify an archive, so that export, report and status read it with --state.

    Example: rebalancer db unpack autumn.sqlite.gz --to autumn
    """
    from rebalancer.cli.db import unpack_archive

    raise typer.Exit(unpack_archive(file, to))


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
    listing: Annotated[
        Path | None, typer.Option(help="CSV file of names to add or replace: symbol, price, volatility ...")
    ] = None,
    corporate_actions: Annotated[bool, typer.Option(help="The seed's own dividends and splits.")] = True,
    charges: Annotated[bool, typer.Option(help="Fees and interest, which paper accounts do not pay.")] = False,
    legacy_day_trading: Annotated[bool, typer.Option(help="The day-trading rule that ended on 2026-06-04.")] = False,
    multiplier: Annotated[int, typer.Option(help="Margin of the account: 1, 2 or 4.")] = 2,
    rate_limit: Annotated[
        int, typer.Option(min=0, help="Requests a minute, for trading and market data apart; 0 is no limit.")
    ] = 200,
    rate_limit_reset: Annotated[
        Literal["auto", "wall", "simulated"],
        typer.Option(help="Clock of X-Ratelimit-Reset; auto: the machine's at speed 1, else the simulated."),
    ] = "auto",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Host name by which clients may call it, as in a container; repeat it.")
    ] = None,
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
            listing=listing,
            corporate_actions=corporate_actions,
            charges=charges,
            legacy_day_trading=legacy_day_trading,
            multiplier=multiplier,
            rate_limit=rate_limit,
            rate_limit_reset=rate_limit_reset,
            allow_host=allow_host or (),
        )
    )
