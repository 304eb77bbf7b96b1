"""One state folder an account: two profiles that trade one account would each undo what the other does.

Processes of one state folder may share the account (a session and a run by hand take turns with the run lock); those
of another are refused. The kernel holds it, so nothing is left behind by a process that dies.
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

    folder: shared by all profiles; the lock's name is a hash, so that no account number stands in it.
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
            pause.wait(WAIT_SECONDS)  # somebody is just signing it
        else:
            raise LockHeld(
                f"this account is being traded from another state folder: {_owner(handle) or 'unknown'}\n"
                "  hint: two profiles must not trade one account; stop the other one"
            )
        yield
    finally:
        os.close(handle)


def _shared(handle: int, mine: str) -> bool:
    """Hold the lock together with others of the same folder."""
    if _take(handle, fcntl.LOCK_EX):  # nobody holds it: it is ours to sign
        os.ftruncate(handle, 0)
        os.pwrite(handle, mine.encode(), 0)
    # giving up the exclusive lock is not atomic: whoever comes between signs it, so that it is read again
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
