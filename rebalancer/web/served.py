"""Where a server of this state folder listens, for `web login`: a small file that it writes and takes away."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from rebalancer.core.input_file import read_json_file
from rebalancer.ops.files import put_whole
from rebalancer.ops.run_lock import is_running

NAME: Final = "web.json"
_SIZE_MAX: Final = 4096


def tell_address(state: Path, url: str) -> None:
    """Write it; informational only, so that errors are ignored."""
    with suppress(OSError):
        put_whole(state / NAME, f"{json.dumps({'pid': os.getpid(), 'url': url})}\n".encode())


def forget_address(state: Path) -> None:
    """Take it away."""
    with suppress(OSError):
        (state / NAME).unlink(missing_ok=True)


def served_at(state: Path) -> str | None:
    """The address of the running server; None when none runs or its file cannot be read."""
    try:
        body = read_json_file(state / NAME, _SIZE_MAX)
        return str(body["url"]) if is_running(int(body["pid"])) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
