"""The options that several groups of commands have, and the refusal of options that do not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rebalancer.cli.exit_codes import ExitCode

Config = Annotated[list[Path] | None, typer.Option("--config", help="Configuration file; repeat it, later ones win.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output, decimals as strings.")]
State = Annotated[
    Path | None,
    typer.Option("--state", help="Read this state folder, such as the demo's, instead of the configured one."),
]
RunFolder = Annotated[
    Path | None, typer.Option("--backtest", help="The folder that backtest --out has written, instead of an account.")
]
Standby = Annotated[bool, typer.Option("--standby", help="While another host trades the account, wait, and take over.")]
KeptGoing = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 1 when no session runs and none is due, or the last one failed.")
]
NoColour = Annotated[bool, typer.Option("--no-color", help="No colours (also: NO_COLOR).")]


def refuse(problem: str) -> NoReturn:
    """End with one line and the exit code of wrong usage."""
    typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(ExitCode.USAGE)
