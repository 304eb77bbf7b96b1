"""Read a file of secrets only when nobody but its owner can read or replace it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from rebalancer.documents import BadDocument

BYTES_MAX: Final = 64 * 1024


def read_private(path: Path, *, by_system: bool = False) -> str | None:
    """The text of a private file; None when it is not there. Raises BadDocument (exit 78) for one that others may read.

    by_system: the file was put there by systemd, may belong to root and may be group-readable through its own folder.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            raise BadDocument(
                str(path), "is a symbolic link; secrets must be a plain file", f"chmod 600 {path}"
            ) from None
        raise BadDocument(str(path), f"cannot be read: {error.strerror}", f"chmod 600 {path}") from None
    problem = _problem(os.fstat(handle), by_system)
    if problem is not None:
        os.close(handle)
        raise BadDocument(str(path), problem, f"chmod 600 {path}, and own it yourself")
    with os.fdopen(handle, "rb") as file:
        body = file.read(BYTES_MAX + 1)
    if len(body) > BYTES_MAX:
        raise BadDocument(str(path), f"is longer than {BYTES_MAX} bytes", "keep nothing but secrets in it")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadDocument(str(path), "is not UTF-8 text", "write it again") from None


def _problem(found: os.stat_result, by_system: bool) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file"
    mode = stat.S_IMODE(found.st_mode)
    if by_system:
        return f"everybody may read it (mode {mode:o})" if mode & 0o007 else None
    if found.st_uid != os.geteuid():
        return "belongs to somebody else"
    return None if mode in (0o600, 0o400) else f"others may read it (mode {mode:o})"
