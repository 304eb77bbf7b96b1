"""The commands of the live page and the HTTP API: `web serve`, `web login`, `web token`; `api` is another name for
`web`."""

from __future__ import annotations

from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json
from rebalancer.cli.help import Commands

Host = Annotated[str | None, typer.Option(help="Loopback address to listen on; by default that of web.listen.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port; 0 picks a free one. By default that of web.listen.")
]

web_app = Commands(
    help="The live page and the HTTP API: state, reasons, signals, events, hooks. It trades nothing.\n\n"
    "Example: rebalancer web serve | rebalancer web login | rebalancer web token add notebook --scope read,signals",
    rich_markup_mode=None,
    invoke_without_command=True,
)
token_app = Commands(
    help="Who may call the HTTP API.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@web_app.callback(invoke_without_command=True)
def web(context: typer.Context, host: Host = None, port: Port = None, config: Config = None) -> None:
    """The live page and the HTTP API: state, reasons, signals, events, hooks. It trades nothing.

    Example: rebalancer web serve | rebalancer web login | rebalancer web token add notebook --scope read,signals
    """
    if context.invoked_subcommand is None:
        from rebalancer.cli.web import serve_web

        raise typer.Exit(serve_web(config, host=host, port=port))


@web_app.command("serve")
def serve(host: Host = None, port: Port = None, config: Config = None) -> None:
    """Serve the live page and the HTTP API until it is stopped. Needs web.enabled: true, or --host or --port.

    Example: rebalancer web serve | rebalancer web serve --port 8787
    """
    from rebalancer.cli.web import serve_web

    raise typer.Exit(serve_web(config, host=host, port=port))


@web_app.command("login")
def log_in(host: Host = None, port: Port = None, config: Config = None) -> None:
    """Print a link that logs a browser in: once, within ten minutes, for twelve hours.

    Example: rebalancer web login | rebalancer web login --port 8787
    """
    from rebalancer.cli.web import login

    raise typer.Exit(login(config, host=host, port=port))


@web_app.command("logout")
def log_out(config: Config = None) -> None:
    """End the session of every browser at once.

    Example: rebalancer web logout
    """
    from rebalancer.cli.web import logout

    raise typer.Exit(logout(config))


@token_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Its name, and the source of its signals.")],
    scope: Annotated[str, typer.Option(help="read, signals, execute, kill, with commas; or hook.")],
    replace: Annotated[bool, typer.Option("--replace", help="Give an existing token a new text.")] = False,
    config: Config = None,
) -> None:
    """Add a token and print it, once: only its hash is kept. A running server knows it at once.

    Example: rebalancer web token add notebook --scope read,signals | rebalancer web token add tradingview --scope hook
    """
    from rebalancer.cli.web import token_add

    raise typer.Exit(token_add(config, name, scope, replace=replace))


@token_app.command("list")
def list_tokens(config: Config = None, json: Json = False) -> None:
    """List the tokens: names, scopes, since when.

    Example: rebalancer web token list | rebalancer web token list --json
    """
    from rebalancer.cli.web import token_list

    raise typer.Exit(token_list(config, as_json=json))


@token_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Its name.")], config: Config = None) -> None:
    """Remove a token; a running server refuses it at once.

    Example: rebalancer web token remove notebook
    """
    from rebalancer.cli.web import token_remove

    raise typer.Exit(token_remove(config, name))


web_app.add_typer(token_app, name="token")
