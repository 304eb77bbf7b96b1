"""Read a file that somebody else writes: whole, of bounded size, and not while it is being written."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.documents import BadDocument

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SettledFile(NamedTuple):
    """A file's text and when it was last written, aware UTC."""

    text: str
    written_at: datetime


def is_absent(path: Path) -> bool:
    """Whether there is nothing at all at a path. What is there and cannot be reached is not absent."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def read_settled(path: Path, size_max: int) -> SettledFile:
    """Read a UTF-8 file, with or without a byte order mark. Raises BadDocument for anything that is not a regular file
    of at most `size_max` bytes, and for one that changes under our hands."""
    try:
        # not blocking: a pipe that was put here must not stop us
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise BadDocument(str(path), "is not a regular file", "name a file, or copy the content into one")
            if before.st_size > size_max:
                raise BadDocument(str(path), f"is larger than {size_max} bytes", "split it, or drop what is old")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(size_max + 1)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BadDocument(str(path), f"cannot be read: {error.strerror}") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise BadDocument(
            str(path), "changed while it was read", "write under another name, such as *.tmp, then rename"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDocument(str(path), f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    return SettledFile(text, _EPOCH + timedelta(microseconds=after.st_mtime_ns // 1000))
