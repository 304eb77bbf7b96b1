"""The `rebalancer` command: run it, and turn known errors into one clear line and their exit code."""

from __future__ import annotations

import gc
import sys
from typing import Final

STATUS_WORDS: Final = {"--json", "--no-color"}


def main() -> None:
    """Run the command line.

    `status` in its plain forms bypasses the parser, which alone (typer imports pydantic) costs two thirds of the 300 ms
    allowed; any other form, such as `status --help`, is parsed as usual. Signal handlers for a run by hand are
    installed before anything else is loaded.
    """
    if "run-now" in sys.argv[1:]:
        from rebalancer.cli.signals import end_at_once

        end_at_once()
    from rebalancer.cli.errors import guarded

    try:
        sys.exit(guarded(_run))
    finally:
        gc.freeze()  # the process ends: the interpreter need not search all of its objects for cycles once more


def _run() -> None:
    from rebalancer.cli.options import put_in_force, taken

    found = taken(sys.argv[1:])
    put_in_force(found)
    words = found.rest
    if words[:1] == ["status"] and set(words[1:]) <= STATUS_WORDS:
        _status(words[1:], live=found.command_line.live)
    _parsed(words)


def _status(words: list[str], *, live: bool) -> None:
    as_json, colour = "--json" in words, "--no-color" not in words
    if live:
        from rebalancer.cli.status_live import show_both

        sys.exit(show_both(as_json=as_json, colour=colour))
    from rebalancer.cli.status import show_status

    sys.exit(show_status(as_json=as_json, colour=colour))


def _parsed(words: list[str]) -> None:
    from rebalancer.cli.commands import app

    app(words, prog_name="rebalancer")  # also what completion is installed for, however the program was started
