"""What SIGTERM and SIGINT do to a run by hand before it has begun and after it has ended.

The process ends at once, with the exit code that shells use for this. During the run `session.stop` handles the signals
instead. Imports almost nothing, so that it is in effect before anything else is loaded.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
STDERR: Final = 2


def end_at_once() -> None:
    """From now on both signals end this process, with exit codes 143 and 130. Only in the main thread."""
    for number in SIGNALS:
        signal.signal(number, _end)


def say_stopping(name: str) -> None:
    """Tell the user that the first signal was received; safe inside its handler."""
    _say(
        f"stopping ({name}): nothing new is sent, and orders in flight are followed to their end; "
        "a second signal cancels what still works\n"
    )


def _end(number: int, _: FrameType | None) -> None:
    _say(f"ended by {signal.Signals(number).name}; nothing was under way\n")
    os._exit(128 + number)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(STDERR, text.encode())
