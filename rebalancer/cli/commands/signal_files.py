"""The command about files of signals: `signals test`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json


def try_file(
    file: Annotated[Path, typer.Argument(help="A file of signals or target weights, in any format.")],
    config: Config = None,
    mapping: Annotated[str | None, typer.Option(help="Read JSON by this mapping of signals.mappings.")] = None,
    json: Json = False,
) -> None:
    """Show what would be read from a file, row by row, and every reason that refuses it. Nothing is traded.

    Example: rebalancer signals test weights.xlsx | rebalancer signals test alert.json --mapping freqtrade --json
    """
    from rebalancer.cli.signal_file import try_file as read_and_show

    raise typer.Exit(read_and_show(config, file, mapping=mapping, as_json=json))
