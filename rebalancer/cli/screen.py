"""What every command needs to know about the terminal."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rebalancer.ops.logs.redact import redact


def warn(warnings: Sequence[str]) -> None:
    """Print warnings to stderr."""
    for warning in warnings:
        sys.stderr.write(redact(f"warning: {warning}\n"))


@contextmanager
def errors_first(lines: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Write these lines once the function that this yields is called, at the latest at the end of the block. If an
    error ends the block earlier, its message comes first on stderr and they follow it."""
    left = list(lines)

    def write() -> None:
        while left:
            sys.stderr.write(redact(f"{left.pop(0)}\n"))

    try:
        yield write
    except Exception as error:
        for line in left:
            error.add_note(line)
        raise
    write()


def terminal_width() -> int | None:
    """The terminal's width; None when the output is piped, which is then not cut."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def wants_colour() -> bool:
    """Whether colours are wanted: on a terminal, unless NO_COLOR is set; FORCE_COLOR wins."""
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def log_to_stderr() -> None:
    """Show our own warnings and errors on stderr, one line each; more with -v, only errors with -q."""
    from rebalancer.ops.logs.setup import form_of, level_of, set_up

    level = level_of(os.environ)
    set_up(level or logging.WARNING, form_of(os.environ, sys.stderr), with_context=level == logging.INFO)
