"""Show a screen again and again on a terminal until Ctrl-C; once, plain, when the output is piped."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final

EVERY_SECONDS: Final = 2.0
ENTER: Final = "\x1b[?1049h\x1b[?25l"  # the other screen, without a cursor
LEAVE: Final = "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(shown: Callable[[], str], *, every: float = EVERY_SECONDS) -> None:
    """Print what `shown` returns; on a terminal repeat it, in place, until the user interrupts. The last screen stays
    behind. An error of `shown` is raised, after the terminal is as it was."""
    if not sys.stdout.isatty():
        sys.stdout.write(shown())
        return
    text = shown()  # an error before the first screen leaves the terminal alone
    sys.stdout.write(ENTER)
    try:
        while True:
            sys.stdout.write(_frame(text))
            sys.stdout.flush()
            time.sleep(every)  # noqa: TID251 - a person watches this machine
            text = shown()
    except KeyboardInterrupt:
        return
    finally:
        sys.stdout.write(LEAVE + text)
        sys.stdout.flush()


def _frame(text: str) -> str:
    """One screen: each line replaces what stood there; what does not fit below is left out."""
    height = shutil.get_terminal_size((80, 24)).lines
    lines = text.rstrip("\n").split("\n")
    if len(lines) >= height:
        lines = [*lines[: height - 2], f"... {len(lines) - height + 2} more lines; Ctrl-C ends"]
    return HOME + "".join(f"{line}{END_OF_LINE}\n" for line in lines) + END_OF_SCREEN
