"""The moving line: on a terminal only, and only for what takes long."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.cli.conftest import ROOT

SLOW = """
import sys
from rebalancer.cli.progress import progress
with progress("rebalancing", after={after}) as heard:
    heard("account")
    for _ in range(3):
        heard("submit")
    if {waits}:
        sys.stdin.readline()
print("done")
"""


def on_a_terminal(script: str, awaited: str = "") -> str:
    """What a person sees of a script whose stderr is a terminal. awaited: once it is seen, the script may go on."""
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE, stdout=slave, stderr=slave, cwd=ROOT, env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    assert done.stdin is not None
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
        if awaited and awaited in seen.decode(errors="replace") and not done.stdin.closed:
            done.stdin.close()
    done.stdin.close()
    assert done.wait(600) == 0
    os.close(master)
    return seen.decode()


def test_what_takes_long_is_shown_and_leaves_nothing_behind() -> None:
    seen = on_a_terminal(SLOW.format(after=0.05, waits=True), "rebalancing: sending orders (3)")
    assert seen.rstrip().endswith("done")
    assert "\x1b[2K" in seen  # the line was wiped
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h")  # the cursor is back


def test_what_is_quick_shows_nothing() -> None:
    assert on_a_terminal(SLOW.format(after=600.0, waits=False)) == "done\r\n"


def test_what_is_piped_shows_nothing() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SLOW.format(after=0.0, waits=True)],
        input="",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("done\n", "")
