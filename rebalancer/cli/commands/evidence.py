"""The commands of the signed files of each day: `evidence write`, `verify`, `key`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json
from rebalancer.cli.help import Commands

evidence_app = Commands(
    help="One signed file a day for an auditor: rules, plans, orders, reasons, reconciliation.\n\n"
    "Example: rebalancer evidence write | rebalancer evidence verify FILE",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@evidence_app.command("write")
def write(
    day: Annotated[
        str | None, typer.Option("--day", help="The day in New York; the newest in the journal if none.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write a copy to this file as well.")] = None,
    config: Config = None,
) -> None:
    """Write the signed file of one day into the state folder and print its path.

    Example: rebalancer evidence write | rebalancer evidence write --day 2026-11-20
    """
    from rebalancer.cli.evidence import write_file

    raise typer.Exit(write_file(config, day, to))


@evidence_app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="A file that `evidence write` has written.")],
    key: Annotated[
        str | None, typer.Option("--key", help="The public key that must have signed it; this machine's if none.")
    ] = None,
    journal: Annotated[bool, typer.Option("--journal", help="Compare it with the journal of this machine.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check that no byte of a file was changed, and by whose key it is signed. Exit 78 when it was changed.

    Example: rebalancer evidence verify 2026-11-20.json --key KEY
    """
    from rebalancer.cli.evidence import verify_file

    raise typer.Exit(verify_file(config, file, key, against_journal=journal, as_json=json))


@evidence_app.command("key")
def key(config: Config = None) -> None:
    """Print the public key of this state folder, for those who verify its files.

    Example: rebalancer evidence key
    """
    from rebalancer.cli.evidence import print_key

    raise typer.Exit(print_key(config))
