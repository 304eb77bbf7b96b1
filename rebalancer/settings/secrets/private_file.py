"""Read a file of secrets only if nobody but its owner can read or replace it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content, text_of_bytes

BYTES_MAX: Final = 64 * 1024


def read_private(path: Path, *, by_system: bool = False) -> str | None:
    """The text of a private file; None when missing. Raises BadDocument (exit 78) if others may access it.

    by_system: the file was provided by systemd, so it may belong to root and be group-readable in its own folder.
    """
    try:
        found = os.lstat(path).st_mode
        if stat.S_ISLNK(found):
            raise BadDocument(str(path), "is a symbolic link; secrets must be a plain file", f"chmod 600 {path}")
        if not stat.S_ISREG(found):
            raise BadDocument(str(path), "is not a regular file", "move it away, or write a plain file in its place")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadDocument(str(path), f"cannot be read: {error.strerror}", f"chmod 600 {path}") from None
    body = read_content(
        path,
        BYTES_MAX,
        follow=False,
        problem_of=lambda found: _problem(found, by_system),
        fix=f"chmod 600 {path}, and own it yourself",
    ).body
    return text_of_bytes(body, str(path))


def _problem(found: os.stat_result, by_system: bool) -> str | None:
    mode = stat.S_IMODE(found.st_mode)
    if by_system:
        return f"everybody can read it (mode {mode:o})" if mode & 0o007 else None
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    return None if mode in (0o600, 0o400) else f"others may read it (mode {mode:o})"
