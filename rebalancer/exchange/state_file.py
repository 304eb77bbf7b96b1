"""The state file as a file: who may read it, and the refusal of one that cannot be opened."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rebalancer.core.input_file import refuse_irregular

_BESIDE = ("-wal", "-shm", "-journal")


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


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in _BESIDE]
