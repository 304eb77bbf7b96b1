"""The commands for a journal that several hosts share or copy: `lease`, `mirror`."""

from __future__ import annotations

from typing import Annotated

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


mirror_app = Commands(
    help="A copy of the journal's file in PostgreSQL that follows it.", no_args_is_help=True, rich_markup_mode=None
)


@mirror_app.command("run")
def mirror_run(
    once: Annotated[bool, typer.Option("--once", help="End when the mirror has every row.")] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when standard input closes, as under a session.")
    ] = False,
    config: Config = None,
) -> None:
    """Copy the journal to journal.mirror_url until stopped. A session does this by itself.

    Example: rebalancer mirror run --once
    """
    from rebalancer.cli.mirror import run_mirror

    raise typer.Exit(run_mirror(config, once=once, with_parent=with_parent))


@mirror_app.command("status")
def mirror_status(config: Config = None, json: Json = False) -> None:
    """Show the newest rows of both sides, how far the mirror is behind and since when, and what is in the way.

    Example: rebalancer mirror status | rebalancer mirror status --json
    """
    from rebalancer.cli.mirror import show_mirror

    raise typer.Exit(show_mirror(config, as_json=json))


@mirror_app.command("verify")
def mirror_verify(config: Config = None, json: Json = False) -> None:
    """Compare the mirror with the journal row by row. Exit code 78 when a row differs.

    Example: rebalancer mirror verify
    """
    from rebalancer.cli.mirror import verify_mirror

    raise typer.Exit(verify_mirror(config, as_json=json))


@mirror_app.command("promote")
def mirror_promote(
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also while the other host was heard of within two minutes.")
    ] = False,
    config: Config = None,
) -> None:
    """Make the mirror a journal that this host may trade on. The other host must be stopped for good.

    Example: rebalancer mirror promote --reason "alpha burnt down"
    """
    from rebalancer.cli.mirror import promote_mirror

    raise typer.Exit(promote_mirror(config, reason=reason, force=force))
