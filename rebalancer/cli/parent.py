"""End with the process that started this one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def when_parent_ends(call: Callable[[], object]) -> None:
    """Call from another thread once standard input ends, which a parent's pipe does also when the parent is killed."""
    threading.Thread(target=_wait, args=(call,), name="parent", daemon=True).start()


def _wait(call: Callable[[], object]) -> None:
    while os.read(0, 4096):
        pass
    call()
