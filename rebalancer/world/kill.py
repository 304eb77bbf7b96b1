"""The kill switch: a file and a row in the journal, either of which stops; what cannot be read counts as set.

The file works when the journal does not, and the other way round. It survives restarts and is only lifted by a person
who gives a reason.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.world.ports import JournalBroken

if TYPE_CHECKING:
    from rebalancer.world.journal import Journal

FILE_NAME: Final = "HALT"
REASON_LENGTH_MAX: Final = 500


def halt_reason(state: Path) -> str | None:
    """What the file says, None when it is not there. Unreadable counts as set."""
    path = state / FILE_NAME
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:REASON_LENGTH_MAX].strip() or "no reason given"
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return None
        return f"{path} cannot be read: {error.strerror}"


class KillSwitch:
    """The switch of one account: the file in its state folder and the rows in its journal."""

    def __init__(self, state: Path, journal: Journal) -> None:
        self._state, self._journal = state, journal

    def reason(self, account_id: str) -> str | None:
        """Why nothing may be sent; None when it is not set."""
        found = halt_reason(self._state)
        if found is not None:
            return found
        try:
            return self._journal.kill_switch(account_id)
        except JournalBroken as error:
            return f"the journal cannot be read: {error}"

    def engage(self, account_id: str, at: datetime, reason: str) -> None:
        """Set both; the file first, since it needs nothing else to work."""
        write_halt(self._state, reason)
        if account_id:
            self._journal.set_kill(account_id, at, reason[:REASON_LENGTH_MAX])

    def lift(self, account_id: str, at: datetime, reason: str) -> None:
        """Clear both; the row first, so that a failure in between leaves it set."""
        if account_id and self._journal.kill_switch(account_id) is not None:
            self._journal.clear_kill(account_id, at, reason[:REASON_LENGTH_MAX])
        (self._state / FILE_NAME).unlink(missing_ok=True)
        _sync(self._state)


def write_halt(state: Path, reason: str) -> None:
    """Write the file and make it durable before returning."""
    descriptor = os.open(state / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, (reason[:REASON_LENGTH_MAX] + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync(state)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
