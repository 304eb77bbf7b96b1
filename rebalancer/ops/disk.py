"""Error messages for a folder or disk that cannot be written to: the path, the free space and the fix."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from rebalancer.core.errors import Unwritable

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_RIGHTS: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def unwritable(path: Path, error: OSError) -> Unwritable:
    """The error for one of our files or folders that cannot be created or written."""
    return Unwritable(
        f"{path}: cannot be written: {error.strerror}{free_words(path)}\n  hint: {fix_of(path, error.errno)}"
    )


def free_words(path: Path) -> str:
    """The free space where a file is or would be, as text to append to a message; "" when unknown."""
    free = free_bytes(path)
    return "" if free is None else f" ({free / 1e6:,.1f} MB are free)"


def free_bytes(path: Path) -> int | None:
    """The free bytes for this user on the disk of a path, which need not exist; None when unknown."""
    for place in (path, *path.parents):
        try:
            space = os.statvfs(place)
        except OSError:
            continue
        return space.f_bavail * space.f_frsize
    return None


def fix_of(path: Path, code: int | None) -> str:
    """What the user can do about it."""
    folder = path if path.is_dir() else path.parent
    if code in FULL:
        return f"free some space on the disk of {folder}, then run it again"
    if code in _RIGHTS:
        return f"give this user write access: chown or chmod {folder}, or mount the disk read-write"
    return f"look at {folder}: its disk, its owner and its permissions"
