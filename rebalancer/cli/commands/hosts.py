"""The commands for a journal that several hosts share: `lease`."""

from __future__ import annotations

import typer

from rebalancer.cli.commands.shared import Config, Json
from rebalancer.cli.help import Commands

lease_app = Commands(help="Which host trades an account.", no_args_is_help=True, rich_markup_mode=None)


@lease_app.callback()
def lease() -> None:
    """Which host trades an account."""


@lease_app.command("status")
def lease_status(config: Config = None, json: Json = False) -> None:
    """Show who holds each account of this journal, and for how long.

    Example: rebalancer lease status | rebalancer lease status --json
    """
    from rebalancer.cli.lease import show_leases

    raise typer.Exit(show_leases(config, as_json=json))
