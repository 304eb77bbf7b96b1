"""Read files of other programs only once they are completely written; write our own files atomically."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content, text_of_bytes

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SettledFile(NamedTuple):
    """A file's text and when it was last written, aware UTC."""

    text: str
    written_at: datetime


class SettledBytes(NamedTuple):
    """A file's content and when it was last written, aware UTC."""

    body: bytes
    written_at: datetime

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of the content."""
        return hashlib.sha256(self.body).hexdigest()


def is_absent(path: Path) -> bool:
    """Whether nothing exists at a path. A file that exists but is inaccessible is not absent."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def read_settled(path: Path, size_max: int) -> SettledFile:
    """Read a UTF-8 file, with or without a byte order mark. Raises BadDocument for anything that is not a regular file
    of at most `size_max` bytes, and for one that changes while being read."""
    found = read_settled_bytes(path, size_max)
    return SettledFile(text_of_bytes(found.body, str(path)), found.written_at)


def read_settled_bytes(path: Path, size_max: int) -> SettledBytes:
    """Read a file of any content. Raises BadDocument as `read_settled` does."""
    body, before, after = read_content(path, size_max)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(body) != after.st_size:
        raise BadDocument(
            str(path), "changed while it was read", "write under another name, such as *.tmp, then rename"
        )
    return SettledBytes(body, _EPOCH + timedelta(microseconds=after.st_mtime_ns // 1000))


def sync_to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's names, survive a loss of power. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_whole(path: Path, content: bytes) -> None:
    """Write a private file atomically: readers see either the old or the new content. Raises OSError.

    Anything that already exists under the temporary name, such as a FIFO, is never opened.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
