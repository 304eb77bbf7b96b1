"""The kill switch: a file and a row in the journal, either of which stops trading; if either cannot be read it counts
as set.

The file works when the journal does not, and the other way round. The switch survives restarts and is lifted only by a
person who gives a reason.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import JournalBroken, Unwritable
from rebalancer.core.input_file import read_content
from rebalancer.ops.disk import unwritable
from rebalancer.ops.files import is_absent, sync_to_disk

if TYPE_CHECKING:
    from rebalancer.journal import Journal

FILE_NAME: Final = "HALT"
REASON_LENGTH_MAX: Final = 500
SIZE_MAX: Final = 64 * 1024


def halt_reason(state: Path) -> str | None:
    """The text of the file; None when there is nothing at its path. Anything that is not a readable regular file counts
    as set."""
    path = state / FILE_NAME
    if is_absent(path):
        return None
    try:
        content = read_content(path, SIZE_MAX).body
    except BadDocument as error:
        return f"{path} cannot be read: {error.problem.removeprefix('cannot be read: ')}"
    return content.decode("utf-8", errors="replace")[:REASON_LENGTH_MAX].strip() or "no reason given"


class KillSwitch:
    """The switch of one account: the file in its state folder and the rows in its journal."""

    def __init__(self, state: Path, journal: Journal) -> None:
        self._state, self._journal = state, journal

    def reason(self, account_id: str) -> str | None:
        """Why nothing may be sent; None when the switch is not set."""
        found = halt_reason(self._state)
        if found is not None:
            return found
        try:
            return self._journal.kill_switch(account_id)
        except JournalBroken as error:
            return f"the journal cannot be read: {error}"

    def engage(self, account_id: str, at: datetime, reason: str) -> None:
        """Set both; the file first, since it depends on nothing else."""
        write_halt(self._state, reason)
        if account_id:
            self._journal.set_kill(account_id, at, reason[:REASON_LENGTH_MAX])

    def lift(self, account_id: str, at: datetime, reason: str) -> None:
        """Clear both; the row first, so that a failure in between leaves the switch set."""
        if account_id and self._journal.kill_switch(account_id) is not None:
            self._journal.clear_kill(account_id, at, reason[:REASON_LENGTH_MAX])
        remove_halt(self._state)


def write_halt(state: Path, reason: str) -> None:
    """Write the file and make it durable before returning. Anything at the path that is not a regular file counts as
    set already, and is left as it is. Raises Unwritable."""
    path = state / FILE_NAME
    try:
        if not is_absent(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, (reason[:REASON_LENGTH_MAX] + "\n").encode("utf-8", "backslashreplace"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_to_disk(state)
    except OSError as error:
        if not is_absent(path):  # an empty or older file stops trading as well as a new one
            return
        raise unwritable(path, error) from None


def remove_halt(state: Path) -> None:
    """Remove whatever is at the file's path. Raises Unwritable, and then the switch is still set."""
    path = state / FILE_NAME
    try:
        path.unlink(missing_ok=True)
        sync_to_disk(state)
    except IsADirectoryError:
        raise Unwritable(f"{path}: is a folder, so that it is not removed from here\n  hint: rm -r {path}") from None
    except OSError as error:
        raise unwritable(path, error) from None
