"""A command on a real pseudo-terminal of 80 columns: typed answers, frames of a live screen, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import NamedTuple

from rebalancer.cli.watch import END_OF_SCREEN, HOME, LEAVE
from tests.cli.conftest import ROOT


class Seen(NamedTuple):
    """How a command ended and everything that it wrote."""

    code: int
    text: str

    def frames(self) -> list[list[str]]:
        """The lines of every frame of a live screen, without control codes."""
        live = self.text.rpartition(LEAVE)[0]
        return [plain(frame).split("\n") for frame in live.split(HOME)[1:]]

    def left(self) -> list[str]:
        """What stands on the terminal when the command has ended."""
        return plain(self.text.rpartition(LEAVE)[2]).rstrip("\n").split("\n")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", text).replace("\r\n", "\n")


def at_a_terminal(folder: Path, typed: str, *words: str, frames: int = 0, lines: int = 40) -> Seen:
    """Run it to its end, with an answer typed ahead. frames: interrupt it after so many frames of a live screen."""
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "FORCE_COLOR")}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", *words], cwd=folder, stdin=slave, stdout=slave, stderr=slave,
        env=environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    if typed:
        os.write(master, typed.encode())
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
        if frames and seen.count(END_OF_SCREEN.encode()) >= frames:
            process.send_signal(signal.SIGINT)
            frames = 0
    code = process.wait(300)
    os.close(master)
    return Seen(code, seen.decode())
