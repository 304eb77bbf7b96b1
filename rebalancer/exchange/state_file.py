"""The state file as a file: who may read it, and the refusal of one that cannot be opened."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import refuse_irregular

_BESIDE: Final = ("-wal", "-shm", "-journal")
_SEAL: Final = ".sha256"


class StateUnreadable(ValueError):
    """A state file that this version cannot open: where it is, what is wrong with it, and what to do."""

    def __init__(self, where: str, problem: str, hint: str = "choose another state file") -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem, self.hint = where, problem, hint


def make_private(path: Path) -> None:
    """Make the file, for its owner alone, if it is not there. Raises BadDocument for what is no regular file."""
    refuse_irregular(path, *_beside(path))
    with suppress(OSError):  # a folder that cannot be written: opening the file tells
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC, 0o600))


def keep_private(path: Path) -> None:
    """Let nobody but the owner read a file that was made before, nor what SQLite keeps beside it."""
    for one in (path, *_beside(path)):
        with suppress(OSError):  # not there, or of somebody else
            one.chmod(0o600)


def seal(path: Path) -> None:
    """Write the digest of a file that has been closed beside it, as `sha256sum` does. Without one the next start looks
    through the whole state, so nothing is raised."""
    if _has_log(path):
        return
    with suppress(OSError):
        digest = _digest(path)
        handle = os.open(_seal_of(path), os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(f"{digest}  {path.name}\n")


def is_sealed(path: Path) -> bool:
    """Whether not one byte of a file has changed since an exchange closed it."""
    try:
        refuse_irregular(path, _seal_of(path))
        said = _seal_of(path).read_bytes()[:64]
        return not _has_log(path) and said == _digest(path).encode()
    except (OSError, BadDocument):
        return False


def _seal_of(path: Path) -> Path:
    return path.with_name(path.name + _SEAL)


def _has_log(path: Path) -> bool:
    """Whether SQLite keeps changes beside the file, which a digest of the file does not cover."""
    return any(one.exists() and one.stat().st_size for one in _beside(path) if not one.name.endswith("-shm"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in _BESIDE]
