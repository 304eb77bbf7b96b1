"""The run lock: only one rebalancer at a time per state folder.

It is a kernel lock (`flock`), so it is released even if the process is killed. The content of the file is only for
people, and for the error message of a process that finds the lock held.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import LockHeld
from rebalancer.core.input_file import read_content
from rebalancer.core.values import time_text
from rebalancer.ops.disk import unwritable

_SIGNATURE_MAX: Final = 64 * 1024


class RunLock:
    """Hold the lock `path` for the duration of a `with` block. Raises LockHeld, naming the holder, when another process
    has it, and Unwritable when the file cannot be created or opened."""

    def __init__(self, path: Path, command: str | None = None) -> None:
        """command: a description of this run; by default the name of the program, never its arguments."""
        self.path = path
        self._command = Path(sys.argv[0]).name if command is None else command
        self._handle: int | None = None

    def __enter__(self) -> Self:
        handle = open_lock(self.path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign(handle)
        except BlockingIOError:
            held = LockHeld(f"{self.path}: held by {_holder(handle)}\n  hint: wait for it to end, or stop it")
            os.close(handle)
            raise held from None
        except OSError as error:
            os.close(handle)
            raise unwritable(self.path, error) from None
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return self

    def _sign(self, handle: int) -> None:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        since = datetime.fromtimestamp(int(os.fstat(handle).st_mtime), UTC)  # the time of the write above
        os.pwrite(handle, f"{os.getpid()}\n{time_text(since)}\n{self._command}\n".encode(), 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file is kept: if it were removed, two processes could lock different files of the same name.
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def holder_of(path: Path) -> int | None:
    """The process that holds this lock, None when nobody does. Takes no lock itself, so that no run can be refused
    because somebody looked: the kernel lists the locks. Where it does not (`/proc/locks` is Linux's), the process that
    signed the file counts while it runs."""
    try:
        body, found, _ = read_content(path, _SIGNATURE_MAX, follow=False)
        signed = body.split(b"\n", 1)[0]
        pid = int(signed) if signed.isdigit() else 0
    except BadDocument:
        return None
    try:
        listed = Path("/proc/locks").read_text(encoding="ascii", errors="replace")
    except OSError:
        return pid if pid > 0 and is_running(pid) else None
    for line in listed.splitlines():
        words = line.split()  # 1: FLOCK ADVISORY WRITE 4711 fe:00:1234 0 EOF
        if "FLOCK" in words[1:2] and "->" not in words and words[-3].rpartition(":")[2] == str(found.st_ino):
            return int(words[-4]) if int(words[-4]) > 0 else pid or None
    return None


def is_running(pid: int) -> bool:
    """Whether a process of this number runs, also one of another user."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def open_lock(path: Path) -> int:
    """Open a lock file, creating it if needed; the caller closes it. Raises LockHeld if it is not a regular file, since
    its holder cannot be determined, and Unwritable when it cannot be opened or created."""
    try:
        _refuse_irregular(path, path.lstat().st_mode)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        _refuse_irregular(path, os.fstat(handle).st_mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _refuse_irregular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise LockHeld(
            f"{path}: is not a regular file, so no process can hold this lock\n"
            "  hint: make sure that no rebalancer runs, then remove it"
        )


def _holder(handle: int) -> str:
    """The holder as named in the file; the holder may not have written it yet."""
    lines = os.pread(handle, 1000, 0).decode("utf-8", "replace").splitlines()
    if len(lines) < 3:
        return "another process that has just started"
    pid, since, command = lines[:3]
    return f"process {pid} ({command}) since {since}"
