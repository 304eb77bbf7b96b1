"""Programs of several versions on one account: where their code is, the folder and the state that they share."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DAY = "2026-11-20"
INTERVAL_MINUTES = 60
SLOTS = tuple(  # of that day, from 09:30 New York to the last before 16:00, UTC
    f"{DAY}T{minute // 60:02d}:{minute % 60:02d}Z" for minute in range(14 * 60 + 30, 21 * 60, INTERVAL_MINUTES)
)
SCORES = {"KO": 0.9, "JNJ": 0.8, "XOM": 0.8, "MRK": 0.7, "WMT": 0.7, "HD": 0.6, "V": 0.6, "PG": 0.5}
SECONDS = 300.0  # the longest that one command may take, far beyond what it does


KEPT = Path(__file__).parent / "drained.tar.xz"  # what drained sessions of older programs left, one folder each


class Done(NamedTuple):
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str


class Program(NamedTuple):
    """A version of the program: its name, and the folder with its `rebalancer` and `config`."""

    name: str
    code: Path


THIS = Program("this", ROOT)


def program_of(commit: str, folder: Path) -> Program:
    """The program as it was at a commit, unpacked into a folder. Raises CalledProcessError without that history."""
    code = folder / commit
    if not code.exists():
        command = ["git", "archive", commit, "rebalancer", "config"]
        packed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        code.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", code], input=packed.stdout, check=True)
    return Program(commit, code)


class Desk:
    """A project folder with its state, on the embedded exchange, for programs of any version."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "project"
        self.state = home / "state" / "rebalancer" / "simulated"
        self.journal = self.state / "journal.sqlite"

    def furnish(self, program: Program) -> None:
        """Write a project as the program ships it, with signals for the day."""
        shutil.copytree(program.code / "config", self.project / "config")
        (self.project / "signals").mkdir()
        rows = "".join(f"{symbol},{score},0.8,{DAY}T14:00:00Z,desk\n" for symbol, score in SCORES.items())
        (self.project / "signals" / "desk.csv").write_text("symbol,score,confidence,issued_at,source\n" + rows)

    def environ(self, program: Program) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "TZ": "UTC", "NO_PROXY": "127.0.0.1",
            "XDG_STATE_HOME": str(self.home / "state"), "XDG_CONFIG_HOME": str(self.home / "configuration"),
            "PYTHONPATH": str(program.code), "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1",
            "REBALANCER_ENVIRONMENT": "development",
            "REBALANCER__EXECUTION__INTERVAL_MINUTES": str(INTERVAL_MINUTES),
            "REBALANCER__PROTECTION__POLL_SECONDS": "300",
            "REBALANCER__EXECUTION__MAX_ORDERS_PER_EXECUTION": "1",  # so that every slot has one
            "REBALANCER__SIGNALS__SAMPLE": "never",
            "REBALANCER__SIGNALS__MAX_AGE_MINUTES": "6000",
        }  # fmt: skip

    def start(self, program: Program, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "rebalancer", *words], cwd=self.project, env=self.environ(program), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, program: Program, *words: str) -> Done:
        """One command, as a person or systemd would start it."""
        with self.start(program, *words) as process:
            try:
                out, err = process.communicate(timeout=SECONDS)
            finally:
                process.kill()
        return Done(words, process.returncode, out, err)

    def session(self, program: Program) -> Done:
        """The session of the day, or what is left of it."""
        return self.run(program, *SESSION)

    def session_until(self, program: Program, ended: int, *, kill: bool = False) -> Done:
        """The session of the day until so many slots have ended: asked to stop (SIGTERM), or killed in the middle of
        the next cycle, once it has written down an order."""
        intended = (
            "SELECT 1 FROM events WHERE kind = 'order_intended' AND cycle_id = (SELECT max(cycle_id) FROM events "
        )
        intended += "WHERE kind = 'cycle_started') AND cycle_id NOT IN "
        intended += "(SELECT cycle_id FROM events WHERE kind = 'cycle_ended' AND cycle_id NOT NULL)"
        with self.start(program, *SESSION) as process:
            try:
                wait_until(lambda: process.poll() is not None or len(self.ends()) >= ended)
                if kill:
                    wait_until(lambda: process.poll() is not None or bool(self.rows(intended)))
                process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
                out, err = process.communicate(timeout=SECONDS)
            finally:
                process.kill()
        return Done(SESSION, process.returncode, out, err)

    def rows(self, query: str) -> list[tuple[str, ...]]:
        """What the journal says, read without the program; nothing before there is one."""
        if not self.journal.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True, timeout=30)) as base:
            try:
                return base.execute(query).fetchall()
            except sqlite3.OperationalError:  # its tables are being made
                return []

    def ends(self) -> list[tuple[str, ...]]:
        """Every slot of the day that has ended: its id, its outcome, and the version that ran it."""
        return self.rows(
            "SELECT e.cycle_id, json_extract(e.body, '$.outcome'), coalesce(json_extract(s.body, '$.version'), '') "
            "FROM events e LEFT JOIN events s ON s.kind = 'cycle_started' AND s.cycle_id = e.cycle_id "
            "WHERE e.kind IN ('cycle_ended', 'slot') AND length(e.cycle_id) = 17 ORDER BY e.seq"
        )

    def orders_at_the_broker(self) -> int:
        """How many orders the embedded exchange has."""
        with closing(sqlite3.connect(f"file:{self.state / 'exchange.sqlite'}?mode=ro", uri=True, timeout=30)) as base:
            return int(base.execute("SELECT count(*) FROM orders").fetchone()[0])

    def newest_row(self) -> int:
        return int(self.rows("SELECT max(seq) FROM events")[0][0])


SESSION = ("session", "--day", DAY, "--speed", "36000")


def unpack(folder: Path) -> None:
    """Unpack all that is kept."""
    with tarfile.open(KEPT) as archive:
        archive.extractall(folder, filter="data")


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)
