"""What SIGTERM and SIGINT do to a run by hand before it has begun and after it has ended.

It ends at once, with the code that shells give to such an end. While it runs `session.stop` takes its place. Imports
next to nothing, so that it is in force before anything else is loaded.
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
    """From now on both signals end this process, with 143 and 130. Only in the main thread."""
    for number in SIGNALS:
        signal.signal(number, _end)


def say_stopping(name: str) -> None:
    """Tell a person that the first signal has been heard; safe inside its handler."""
    _say(
        f"stopping ({name}): nothing new is sent, and what is in flight is watched to its end; a second signal cancels "
        "what still works\n"
    )


def _end(number: int, _: FrameType | None) -> None:
    _say(f"ended by {signal.Signals(number).name}; nothing was under way\n")
    os._exit(128 + number)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(STDERR, text.encode())
