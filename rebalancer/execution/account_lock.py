"""One state folder per account: two profiles trading one account would each undo the other's trades.

Processes of one state folder may share the account (a session and a run by hand take turns with the run lock); those of
another state folder are refused. The kernel holds the lock, so a process that dies leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rebalancer.core.errors import LockHeld
from rebalancer.ops.disk import unwritable
from rebalancer.ops.run_lock import open_lock

TRIES: Final = 50
WAIT_SECONDS: Final = 0.02


@contextmanager
def account_lock(folder: Path, account_id: str, state: Path) -> Iterator[None]:
    """Hold an account for `state` during the block. Raises LockHeld, naming the other state folder.

    folder: shared by all profiles; the lock file's name is a hash, so that it contains no account number.
    """
    path = folder / f"{hashlib.sha256(account_id.encode()).hexdigest()[:24]}.lock"
    mine = str(state.resolve())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    handle = open_lock(path)
    try:
        pause = threading.Event()
        for _ in range(TRIES):
            if _shared(handle, mine):
                break
            pause.wait(WAIT_SECONDS)  # another process is just writing its folder into it
        else:
            raise LockHeld(
                f"this account is being traded from another state folder: {_owner(handle) or 'unknown'}\n"
                "  hint: two profiles must not trade one account; stop the other one"
            )
        yield
    finally:
        os.close(handle)


def _shared(handle: int, mine: str) -> bool:
    """Hold the lock together with other processes of the same state folder."""
    if _take(handle, fcntl.LOCK_EX):  # nobody else holds it: write our state folder into it
        os.ftruncate(handle, 0)
        os.pwrite(handle, mine.encode(), 0)
    # Downgrading the exclusive lock is not atomic: a process that gets in between writes its own folder, so read it
    # again.
    if _take(handle, fcntl.LOCK_SH) and _owner(handle) == mine:
        return True
    fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _take(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(handle: int) -> str:
    return os.pread(handle, 4096, 0).decode("utf-8", "replace")
