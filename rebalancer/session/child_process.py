"""A command of this program that runs beside a session, as a process of its own: whatever happens to it, the session
goes on, and whatever happens to the session, it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from rebalancer.core.errors import LockHeld
from rebalancer.ops.logs.redact import redact
from rebalancer.ops.run_lock import RunLock
from rebalancer.session.setup import Setup
from rebalancer.settings.profile import PROFILE

LOG: Final = logging.getLogger(__name__)
AGAIN_SECONDS: Final = 30.0  # before a process that failed is started again
END_SECONDS: Final = 10.0
NOT_AGAIN: Final = frozenset({0, 2, 75, 78})  # ended, wrong usage, another one runs, bad configuration


@contextmanager
def command_beside(setup: Setup, what: str, words: Sequence[str], lock: str, log: str) -> Iterator[None]:
    """Have a command run while the block runs, unless another process holds its lock. Nothing that happens to the child
    ends the block or delays it by more than `END_SECONDS`.

    what: in the log, such as "sources are asked". lock, log: file names in the state folder.
    """
    try:
        with RunLock(setup.state / lock, "session"):
            pass
    except LockHeld as error:
        LOG.info("%s elsewhere: %s", what, str(error).partition("\n")[0])
        yield
        return
    child = _Child(setup, what, words, setup.state / log)
    child.start()
    try:
        yield
    finally:
        child.end()


class _Child:
    """The child process and the thread that starts it again when it fails. It ends when its standard input closes, so
    also when this process is killed."""

    def __init__(self, setup: Setup, what: str, words: Sequence[str], log: Path) -> None:
        files = [option for path in setup.files for option in ("--config", str(path))]
        self._what = what
        self._command = [sys.executable, "-m", "rebalancer", *words, "--with-parent", *files]
        self._environ = {**os.environ, PROFILE: setup.profile} if setup.profile else dict(os.environ)
        self._log = log
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name=words[0], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        self._thread.join(END_SECONDS)
        if process is not None and process.poll() is None:
            process.kill()
            self._thread.join(1.0)

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                code = self._run()
            except OSError as error:
                LOG.warning("%s no longer: %s", self._what, redact(str(error)))
                return
            if self._ending.is_set():
                return
            LOG.warning("%s no longer: the process ended with %s: %s", self._what, code, self._log)
            if code in NOT_AGAIN:
                return
            self._ending.wait(AGAIN_SECONDS)

    def _run(self) -> int:
        with _private(self._log) as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._environ, close_fds=True
            )
            if self._ending.is_set() and self._process.stdin is not None:
                self._process.stdin.close()
            return self._process.wait()


def _private(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "wb")
