"""The only way this program opens input files: regular files only, with bounded size and read time.

A FIFO, socket or terminal in place of a file would block the reader forever, and a device such as /dev/zero would
exhaust memory. So anything but a regular file is refused, both before it is opened and again once it is open.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, read_json

SECONDS_MAX: Final = 4.0  # per file, however slow the disk
TEXT_SIZE_MAX: Final = 64 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_NOT_REGULAR: Final = "is not a regular file"
_NAME_A_FILE: Final = "name a file, or copy the content into one"
_HINTS: Final[dict[type[OSError], str]] = {
    FileNotFoundError: "name a file that is there",
    NotADirectoryError: "name a file that is there",
    PermissionError: "let this user read it: chmod u+r, and its folders u+x",
}


class Content(NamedTuple):
    """A file's bytes, and its `stat` results before and after the read."""

    body: bytes
    before: os.stat_result
    after: os.stat_result


def read_content(
    path: Path,
    size_max: int,
    *,
    follow: bool = True,
    problem_of: Callable[[os.stat_result], str | None] | None = None,
    fix: str = "",
) -> Content:
    """Read a regular file of at most `size_max` bytes. Raises BadDocument for everything else.

    follow: follow a symbolic link; False refuses it. problem_of: returns what is wrong with the opened file, before any
    of it is read; `fix` is the hint for that problem.
    """
    try:
        if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
            raise BadDocument(str(path), _NOT_REGULAR, fix or _NAME_A_FILE)
        # non-blocking, in case a pipe has replaced the file since the check
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
        descriptor = os.open(path, flags)
        try:
            return _read(descriptor, path, size_max, problem_of, fix)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError as error:  # a path that contains a NUL character
        if isinstance(error, BadDocument):
            raise
        raise BadDocument(repr(str(path)), "is not the name of a file", _NAME_A_FILE) from None


def read_start(path: Path, size: int) -> bytes:
    """The first bytes of a regular file, to detect its type. Raises BadDocument like `read_content`."""
    refuse_irregular(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return os.read(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from None


def read_text(path: Path, size_max: int = TEXT_SIZE_MAX) -> str:
    """Read a UTF-8 file, with or without a byte order mark. Raises BadDocument when it cannot be read or contains a NUL
    byte."""
    return text_of_bytes(read_content(path, size_max).body, str(path))


def read_json_file(path: Path, size_max: int = TEXT_SIZE_MAX) -> Any:
    """Parse a JSON file strictly (`documents.read_json`). Raises BadDocument when it cannot be read or is not JSON."""
    return read_json(read_text(path, size_max), str(path))


def text_of_bytes(body: bytes, source: str) -> str:
    """Decode UTF-8, with or without a byte order mark. Raises BadDocument naming the line."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise BadDocument(f"{source}:{line}", f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadDocument(f"{source}:{line}", "holds a NUL byte", "was the file written completely? Write it again")
    return text


def refuse_irregular(*paths: Path) -> None:
    """Raise BadDocument for a path that exists but is not a regular file; a missing path is fine. For files that a
    library opens by name, such as a database."""
    for path in paths:
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            if path.is_symlink():
                raise _unreadable(path, error) from None
            continue
        except (OSError, ValueError):
            return  # whatever opens it will report the error
        if not stat.S_ISREG(found.st_mode):
            raise BadDocument(str(path), _NOT_REGULAR, "move it away, or name another file")


def _read(
    descriptor: int,
    path: Path,
    size_max: int,
    problem_of: Callable[[os.stat_result], str | None] | None,
    fix: str,
) -> Content:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise BadDocument(str(path), _NOT_REGULAR, fix or _NAME_A_FILE)
    problem = None if problem_of is None else problem_of(before)
    if problem is not None:
        raise BadDocument(str(path), problem, fix)
    too_large = BadDocument(str(path), f"is larger than {size_max} bytes", "split it, or drop what is old")
    if before.st_size > size_max:
        raise too_large
    chunks, left, ends = list[bytes](), size_max + 1, time.monotonic() + SECONDS_MAX
    while left > 0:
        chunk = os.read(descriptor, min(left, _CHUNK))
        if not chunk:
            return Content(b"".join(chunks), before, os.fstat(descriptor))
        chunks.append(chunk)
        left -= len(chunk)
        if time.monotonic() > ends:
            raise BadDocument(str(path), f"was not read within {SECONDS_MAX:.0f} seconds", "copy it to a local disk")
    raise too_large


def _unreadable(path: Path, error: OSError) -> BadDocument:
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return BadDocument(str(path), f"cannot be read: {error.strerror}", "it is a link to nothing: mend it")
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), "name a readable file")
    return BadDocument(str(path), f"cannot be read: {error.strerror}", hint)
