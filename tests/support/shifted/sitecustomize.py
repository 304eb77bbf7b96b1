"""A machine with another date: loaded by every Python that has this folder on its PYTHONPATH (`run_tests.sh --date`).

The wall clock and the dates of files are `SHIFTED_SECONDS` ahead, in this process and in every Python it starts, also
with an environment of its own. Monotonic clocks, waits, SQLite, OpenSSL and programs that are no Python keep to the
real machine; nothing that is tested may hold a moment of theirs against one of ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

NAME = "SHIFTED_SECONDS"
_IN_THE_SEQUENCE = {"st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size"}
_BESIDE_THE_SEQUENCE = {name for name in dir(os.stat_result) if name.startswith("st_")} - _IN_THE_SEQUENCE
HERE = os.path.dirname(os.path.abspath(__file__))


def shift(seconds: int) -> None:
    """Shift this process, for good."""
    sys.modules["pytest"] = None  # type: ignore[assignment]  # time_machine would import it, in every process
    import time_machine

    del sys.modules["pytest"]
    time_machine.travel(time.time() + seconds, tick=True).start()
    time.time()  # it ticks from the first question on
    for name in ("stat", "lstat", "fstat"):
        setattr(os, name, _shifted_stat(getattr(os, name), seconds))
    os.utime = _shifted_utime(os.utime, seconds)
    subprocess.Popen.__init__ = _heritable(subprocess.Popen.__init__)  # type: ignore[method-assign]


def _shifted_stat(real: Callable[..., os.stat_result], seconds: int) -> Callable[..., os.stat_result]:
    @wraps(real)
    def stat(*args: Any, **kwargs: Any) -> os.stat_result:
        found = real(*args, **kwargs)
        named = {name: getattr(found, name) for name in _BESIDE_THE_SEQUENCE}
        for name in ("st_atime", "st_mtime", "st_ctime"):
            named[name] += seconds
            named[f"{name}_ns"] += seconds * 1_000_000_000
        return os.stat_result((*found[:7], *(value + seconds for value in found[7:10])), named)

    return stat


def _shifted_utime(real: Callable[..., None], seconds: int) -> Callable[..., None]:
    @wraps(real)
    def utime(path: Any, times: Any = None, **kwargs: Any) -> None:
        if times is not None:
            times = tuple(value - seconds for value in times)
        if kwargs.get("ns") is not None:
            kwargs["ns"] = tuple(value - seconds * 1_000_000_000 for value in kwargs["ns"])
        real(path, times, **kwargs)

    return utime


def _heritable(real: Callable[..., None]) -> Callable[..., None]:
    @wraps(real)
    def start(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("env") is not None:
            others = [kwargs["env"].get("PYTHONPATH", "")]
            path = os.pathsep.join([HERE, *(other for other in others if other)])
            kwargs["env"] = {**kwargs["env"], NAME: os.environ[NAME], "PYTHONPATH": path}
        real(self, *args, **kwargs)

    return start


if os.environ.get(NAME):
    shift(int(os.environ[NAME]))
