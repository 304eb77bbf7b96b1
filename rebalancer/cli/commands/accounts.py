"""The commands of several accounts on one host: `desk run`, `desk status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json, KeptGoing, NoColour, Standby
from rebalancer.cli.help import Commands

accounts_app = Commands(
    help="Several accounts on one host: one profile each, listed in config/desk.yaml.\n\n"
    "Example: rebalancer desk run | rebalancer desk status",
    rich_markup_mode=None,
    no_args_is_help=True,
)
Names = Annotated[list[str] | None, typer.Argument(help="The profiles; those of config/desk.yaml if none is named.")]


@accounts_app.command("run")
def run(names: Names = None, standby: Standby = False, config: Config = None) -> None:
    """Run the sessions of these accounts until stopped, each in a process of its own.

    Example: rebalancer desk run | rebalancer desk run growth income
    """
    from rebalancer.cli.desk import run_accounts

    raise typer.Exit(run_accounts(names or (), config, standby=standby))


@accounts_app.command("status")
def status(
    names: Names = None,
    page: Annotated[Path | None, typer.Option("--page", help="Write it to this file as a page.")] = None,
    exit_code: KeptGoing = False,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Show the accounts side by side: process, last cycle, equity, and what needs you.

    Example: rebalancer desk status | rebalancer desk status --page accounts.html
    """
    from rebalancer.cli.desk import show_accounts

    raise typer.Exit(show_accounts(names or (), page, as_json=json, colour=not no_color, exit_code=exit_code))


@accounts_app.command("drill")
def drill(
    url: Annotated[str, typer.Option("--url", metavar="URL", help="An empty PostgreSQL database.")],
    slots: Annotated[int, typer.Option("--slots", min=2, max=60, help="Slots of the simulated day.")] = 24,
    seed: Annotated[int, typer.Option("--seed", help="Of the weights and the faults.")] = 1,
    json: Json = False,
) -> None:
    """Let two hosts trade one embedded account while they are killed and paused: a minute or two.

    Prints who traded each slot, and compares the exchange's orders with the journal. Exit 1 when something is wrong.

    Example: rebalancer desk drill --url postgresql://me@localhost/drill
    """
    from rebalancer.cli.drill import run_drill

    raise typer.Exit(run_drill(url, slots=slots, seed=seed, as_json=json))
