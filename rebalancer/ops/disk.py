"""What to say when a folder or a disk takes no more: the path, what is free, and how to mend it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from rebalancer.core.errors import Unwritable

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_RIGHTS: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def unwritable(path: Path, error: OSError) -> Unwritable:
    """The error for a file or folder of ours that cannot be made or written."""
    return Unwritable(
        f"{path}: cannot be written: {error.strerror}{free_words(path)}\n  hint: {fix_of(path, error.errno)}"
    )


def free_words(path: Path) -> str:
    """How much room is left where a file lies or would lie, in words to append; "" where nobody knows."""
    free = free_bytes(path)
    return "" if free is None else f" ({free / 1e6:,.1f} MB are free)"


def free_bytes(path: Path) -> int | None:
    """The bytes that this user may still write on the disk of a path that need not exist; None where nobody knows."""
    for place in (path, *path.parents):
        try:
            space = os.statvfs(place)
        except OSError:
            continue
        return space.f_bavail * space.f_frsize
    return None


def fix_of(path: Path, code: int | None) -> str:
    """What a person can do about it."""
    folder = path if path.is_dir() else path.parent
    if code in FULL:
        return f"free some space on the disk of {folder}, then run it again"
    if code in _RIGHTS:
        return f"let this user write there: chown or chmod {folder}, or mount the disk read-write"
    return f"look at {folder}: its disk, its owner and its rights"
