"""The commands of the sources that are asked in the background: `sources run`, `list`, `test`."""

from __future__ import annotations

from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json
from rebalancer.cli.help import Commands

sources_app = Commands(
    help="Sources of signals that are asked in the background: vendors, and your own.\n\n"
    "Example: rebalancer sources list | rebalancer sources test alpaca_news AAPL",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@sources_app.command("run")
def run(
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when standard input closes, as under a session.")
    ] = False,
    config: Config = None,
) -> None:
    """Ask the enabled sources until stopped, each in its own time. The session starts it when no unit does.

    Example: rebalancer sources run
    """
    from rebalancer.cli.sources import run_process

    raise typer.Exit(run_process(config, with_parent=with_parent))


@sources_app.command("list")
def list_all(
    enabled: Annotated[bool, typer.Option("--enabled", help="Only those that are enabled; their names alone.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the sources: state, coverage, calls and money of today, and what is wrong.

    Example: rebalancer sources list | rebalancer sources list --json
    """
    from rebalancer.cli.sources import list_sources

    raise typer.Exit(list_sources(config, enabled=enabled, as_json=json))


@sources_app.command("test")
def ask(
    name: Annotated[str, typer.Argument(help="The source.")],
    symbols: Annotated[str, typer.Argument(help="What to ask it about, with commas.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Ask one source once and show its votes. It counts against its budget; nothing trades on it.

    Example: rebalancer sources test alpaca_news AAPL,MSFT
    """
    from rebalancer.cli.sources import ask_source

    raise typer.Exit(ask_source(config, name, symbols, as_json=json))
