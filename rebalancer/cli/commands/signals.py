"""The commands about signals: `signals list`, `stats`, `why`, `sources`, `test`."""

from __future__ import annotations

from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json, NoColour
from rebalancer.cli.commands.signal_files import try_file
from rebalancer.cli.help import Commands

signals_app = Commands(
    help="Every signal received, and what became of it; and what a file says.\n\n"
    "Example: rebalancer signals list | rebalancer signals why s-1 | rebalancer signals stats",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Source = Annotated[str | None, typer.Option(help="Only this source.")]
Symbol = Annotated[str | None, typer.Option(help="Only this symbol.")]
Since = Annotated[str | None, typer.Option(help="Received on this day or later, such as 2026-11-20 (UTC).")]


@signals_app.command("list")
def list_signals(
    config: Config = None,
    source: Source = None,
    symbol: Symbol = None,
    outcome: Annotated[str | None, typer.Option(help="Only this outcome, such as FILLED or PENDING.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 50,
    after: Annotated[str | None, typer.Option(help="Continue after this receipt: `next` of the last page.")] = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """List received signals, newest first, each with its outcome.

    Example: rebalancer signals list --outcome PENDING | rebalancer signals list --source tradingview --json
    """
    from rebalancer.cli.signal_receipts import show_list
    from rebalancer.cli.signal_receipts import wanted as filtered

    wanted = filtered(source=source, symbol=symbol, outcome=outcome, since=since)
    raise typer.Exit(show_list(config, wanted, limit=limit, after=after, as_json=json, colour=not no_color))


@signals_app.command("stats")
def stats(
    config: Config = None,
    source: Source = None,
    symbol: Symbol = None,
    since: Since = None,
    json: Json = False,
    no_color: NoColour = False,
) -> None:
    """Count what became of signals: received, admitted, executed, by reason; and forecast the size of the store.

    Example: rebalancer signals stats | rebalancer signals stats --since 2026-11-20 --json
    """
    from rebalancer.cli.signal_receipts import show_stats
    from rebalancer.cli.signal_receipts import wanted as filtered

    wanted = filtered(source=source, symbol=symbol, outcome=None, since=since)
    raise typer.Exit(show_stats(config, wanted, as_json=json, colour=not no_color))


@signals_app.command("why")
def why(
    name: Annotated[str, typer.Argument(metavar="ID", help="A receipt's or a signal's id.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what became of one signal: outcome, reason, orders and fills.

    Example: rebalancer signals why r-0123456789abcdef0123 | rebalancer signals why s-1 --json
    """
    from rebalancer.cli.signal_receipts import show_why

    raise typer.Exit(show_why(name, config, as_json=json))


@signals_app.command("sources")
def sources(config: Config = None, json: Json = False, no_color: NoColour = False) -> None:
    """List the sources of signals: when each was last heard, and how often it was executed.

    Example: rebalancer signals sources | rebalancer signals sources --json
    """
    from rebalancer.cli.signal_receipts import show_sources

    raise typer.Exit(show_sources(config, as_json=json, colour=not no_color))


signals_app.command("test")(try_file)
