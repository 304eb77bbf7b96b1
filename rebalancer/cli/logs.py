"""`logs`: the log of the session that runs in the background, or systemd's."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.input_file import refuse_irregular
from rebalancer.ops.paths import state_directory
from rebalancer.report.status_view import UNIT, installed_timer
from rebalancer.settings.profile import PROFILE

NAME: Final = "session.log"  # written by start_execution_trading.sh
POLL_SECONDS: Final = 0.5


def show_logs(lines: int, *, follow: bool) -> int:
    """Print the newest lines; with `follow` also what is written from now on, until Ctrl-C.

    Where the timer is installed the log is systemd's, and this process becomes `journalctl`. Exit code 2 when there is
    no log.
    """
    path = state_directory() / NAME
    if installed_timer() and shutil.which("journalctl"):
        sys.stdout.flush()
        os.execvp("journalctl", journal_words(lines, follow=follow))  # noqa: S606, S607 - the system's own, no shell
    if not path.is_file():
        sys.stderr.write(
            f"error: {path}: there is no log\n"
            "  hint: ./start_execution_trading.sh starts a session that writes one; a command shows its own with -v\n"
        )
        return ExitCode.USAGE
    try:
        for text in tail(path, lines, _wait if follow else None):
            sys.stdout.write(text)
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    return ExitCode.DONE


def journal_words(lines: int, *, follow: bool) -> list[str]:
    """The command line that shows this profile's unit."""
    profile = os.environ.get(PROFILE, "").strip()
    unit = f"{UNIT}@{profile}.service" if profile else f"{UNIT}.service"
    return ["journalctl", "--user", "--unit", unit, "--lines", str(lines), *(["--follow"] if follow else [])]


def tail(path: Path, lines: int, wait: Callable[[], bool] | None) -> Iterator[str]:
    """The last lines of a file, then what is added to it: `wait` pauses and says whether to look again. A file that was
    replaced or cut short is read from its start."""
    refuse_irregular(path)
    with path.open(encoding="utf-8", errors="backslashreplace") as file:
        yield "".join(deque(file, lines))
        place, node = file.tell(), os.fstat(file.fileno()).st_ino
    while wait is not None and wait():
        try:
            with path.open(encoding="utf-8", errors="backslashreplace") as file:
                now = os.fstat(file.fileno())
                if now.st_ino != node or now.st_size < place:
                    place, node = 0, now.st_ino
                file.seek(place)
                text = file.read()
                place = file.tell()
        except FileNotFoundError:
            place = 0  # between two of them
            continue
        if text:
            yield text


def _wait() -> bool:
    time.sleep(POLL_SECONDS)  # noqa: TID251 - a person watches this machine
    return True
