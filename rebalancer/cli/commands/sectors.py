"""The commands about sectors: `sectors import`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config
from rebalancer.cli.help import Commands

sectors_app = Commands(
    help="The sectors of symbols.\n\nExample: rebalancer sectors import codes.csv",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@sectors_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a symbol (or ticker) and a SIC code (sic) in each row.")],
    write: Annotated[bool, typer.Option("--write", help="Add the rows to sectors_file; its own rows stay.")] = False,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The date of the codes; today if not given.")
    ] = None,
    config: Config = None,
) -> None:
    """Turn SIC codes, as the SEC gives them, into rows of the sectors file. Without --write they are only printed.

    Example: rebalancer sectors import codes.csv | rebalancer sectors import codes.csv --write
    """
    from rebalancer.cli.sectors import import_sectors

    raise typer.Exit(import_sectors(config, file, write=write, as_of=None if as_of is None else as_of.date()))
