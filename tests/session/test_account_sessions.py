"""The sessions of several accounts: each in a real process, none touching another, started again by how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.new_york import in_new_york
from rebalancer.session.account_sessions import AccountProcess, AccountSessions, next_start
from rebalancer.session.process_table import NAME, KnownProcess, problem_of, read_table, write_table
from rebalancer.session.stop import Bell, Stop
from rebalancer.session.watchdog import Watchdog

SPEED = 100.0  # the seconds of these tests, so that a retry takes 0.3 s
MONDAY = datetime(2026, 11, 23, 15, tzinfo=UTC)
CHILD = """
import os, pathlib, signal, socket, sys, time
name = os.environ["REBALANCER_PROFILE"]
kind = name.split("-")[0]
signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "deaf" else lambda *_: sys.exit(0))
mark = pathlib.Path(sys.argv[1], name)
mark.write_text(mark.read_text() + "x" if mark.exists() else "x")
print("begun", flush=True)
if kind == "runs":
    sys.stdin.read()
elif kind in ("hangs", "lives"):  # both are ready; one says so again and again
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.connect(os.environ["NOTIFY_SOCKET"])
    ear.send(b"READY=1")
    while kind == "lives":
        time.sleep(0.05)
        ear.send(b"WATCHDOG=1")
    sys.stdin.read()
elif kind == "deaf":
    while True:
        time.sleep(1)
elif kind == "slow":  # stops after the second request, and takes its time for it
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    print("deaf once", flush=True)
    while len(asked) < 2:
        time.sleep(0.01)
    time.sleep(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as Stop.on_signals does
    sys.exit(7)
else:
    sys.exit(int(name.split("-")[1]))
"""


class FastClock:
    """The machine's clock, `SPEED` times as fast, from a Monday morning on."""

    def __init__(self, speed: float = SPEED) -> None:
        self._began, self._speed = time.monotonic(), speed

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    def wall(self) -> datetime:
        return MONDAY + timedelta(seconds=self.monotonic())

    def wait(self, seconds: float) -> None:
        time.sleep(seconds / self._speed)


class FastBell(Bell):
    def wait(self, seconds: float) -> bool:
        return super().wait(seconds / SPEED)


class Watched:
    """Sessions of these accounts in a thread of their own, and everything that they tell."""

    def __init__(self, folder: Path, names: Sequence[str], speed: float = SPEED) -> None:
        self.stop, self.alerts, self.folder = Stop("sessions"), list[tuple[str, int]](), folder
        self.stop.bell = FastBell() if speed == SPEED else Bell()
        self.stands: dict[str, AccountProcess] = {}
        self.lines: list[tuple[str, str]] = []
        self.seen: dict[str, list[str]] = {name: [] for name in names}
        self._sessions = AccountSessions(
            names,
            FastClock(speed),
            self.stop.bell,
            say=lambda name, line: self.lines.append((name, line)),
            tell=self._told,
            alert=lambda name, code: self.alerts.append((name, code)),
            command=(sys.executable, "-c", CHILD, str(folder)),
        )
        self._thread = threading.Thread(target=self._sessions.run, args=(self.stop,))
        self._thread.start()

    def _told(self, stands: Sequence[AccountProcess]) -> None:
        self.stands = {one.name: one for one in stands}
        for one in stands:
            if self.seen[one.name][-1:] != [one.state]:
                self.seen[one.name].append(one.state)

    def until(self, holds: Callable[[], Any]) -> None:
        """Wait for it; the time allowed is that of a hang, not of a slow machine."""
        end = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < end, (self.stands, self.lines)
            time.sleep(0.02)

    def starts(self, name: str) -> int:
        mark = self.folder / name
        return len(mark.read_text()) if mark.exists() else 0

    def end(self) -> None:
        self.stop.ask("the test is over")
        self._thread.join(120)
        assert not self._thread.is_alive()


def test_how_each_ends_decides_when_it_starts_again_and_touches_no_other(tmp_path: Path) -> None:
    watched = Watched(tmp_path, ["runs-a", "ends-0", "ends-75", "ends-78", "ends-1"])
    try:
        watched.until(lambda: watched.starts("ends-75") >= 5)
        watched.until(lambda: watched.stands["ends-1"].state == "failed")
        first = watched.stands["runs-a"]
    finally:
        watched.end()
    assert (first.state, first.starts, watched.starts("runs-a")) == ("running", 1, 1)
    assert sorted(watched.alerts) == [("ends-1", 1), ("ends-78", 78)]
    assert watched.seen["ends-0"][:3] == ["starting", "running", "waiting"]
    assert watched.seen["ends-75"][:5] == ["starting", "running", "locked", "running", "locked"]
    assert watched.seen["ends-78"][:3] == ["starting", "running", "failed"]
    assert watched.seen["ends-1"][:7] == ["starting", *["running", "retrying"] * 2, "running", "failed"]
    assert [watched.starts(name) for name in ("ends-0", "ends-78", "ends-1")] == [1, 1, 3]
    assert {one.state for one in watched.stands.values()} == {"ended"}
    assert ("runs-a", "begun") in watched.lines
    assert watched.stands["runs-a"].exit_code == 0


def test_a_killed_one_starts_again_and_a_deaf_one_is_killed_at_last(tmp_path: Path) -> None:
    watched = Watched(tmp_path, ["runs-a", "runs-b", "deaf-c"])
    try:
        watched.until(lambda: [watched.starts(name) for name in ("runs-a", "runs-b", "deaf-c")] == [1, 1, 1])
        first, other = watched.stands["runs-a"].pid, watched.stands["runs-b"].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        watched.until(lambda: watched.starts("runs-a") == 2)
        assert watched.stands["runs-a"].exit_code == -signal.SIGKILL
        assert watched.stands["runs-b"].pid == other
    finally:
        watched.end()
    assert watched.stands["deaf-c"].exit_code == -signal.SIGKILL
    assert [watched.stands[name].exit_code for name in ("runs-a", "runs-b")] == [0, 0]


def test_a_pause_of_both_is_no_silence() -> None:
    watchdog = Watchdog()
    with contextlib.closing(watchdog), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as session:
        session.connect(watchdog.variables["NOTIFY_SOCKET"])
        session.send(b"WATCHDOG=1")  # nobody is ready yet
        assert [watchdog.is_silent(at) for at in (0.0, 30.0, 500.0)] == [False] * 3
        session.send(b"READY=1\nSTATUS=preparing")
        assert [watchdog.is_silent(at) for at in (530.0, 560.0)] == [False] * 2
        paused = 560.0 + 3600.0  # a container was stopped for an hour: nobody spoke, and nobody listened
        assert [watchdog.is_silent(paused + 30.0 * look) for look in range(8)] == [False] * 7 + [True]
        session.send(b"WATCHDOG=1")
        assert not watchdog.is_silent(paused + 240.0)


def test_one_that_hangs_is_killed_and_starts_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path, ["hangs-a", "lives-b", "runs-c"])
    try:
        watched.until(lambda: watched.starts("hangs-a") >= 2)
        stands = dict(watched.stands)
    finally:
        watched.end()
    assert stands["hangs-a"].exit_code == -signal.SIGKILL
    assert [stands[name].starts for name in ("lives-b", "runs-c")] == [1, 1], (
        "runs-c never was ready: it may take its time"
    )
    said = "has made no progress for 180 seconds, and is killed"
    assert [line for line in watched.lines if line[1] == said] == [("hangs-a", said)]


@pytest.mark.parametrize(
    ("state", "exit_code", "again", "problem"),
    [
        ("starting", None, None, None),
        ("running", None, None, None),
        ("waiting", 0, 60, None),
        ("waiting", 0, -240, None),
        ("waiting", 0, -360, "a session was due at 2026-11-23 14:54 UTC, and none was started"),
        ("locked", 75, 30, None),
        ("retrying", 1, 30, "the last session ended with exit code 1"),
        ("retrying", -9, 30, "the last session ended with exit code -9"),
        ("failed", 78, 60, "the last session ended with exit code 78"),
        ("ended", 0, None, None),
    ],
)
def test_what_the_health_check_says(
    state: str, exit_code: int | None, again: int | None, problem: str | None, tmp_path: Path
) -> None:
    at = None if again is None else MONDAY + timedelta(seconds=again)
    stands = AccountProcess("a", state, 7, MONDAY, exit_code, 1, at)  # type: ignore[arg-type]
    write_table(tmp_path / NAME, (stands,))
    assert read_table(tmp_path / NAME) == {"a": KnownProcess(state, 7, exit_code, at)}
    assert problem_of(read_table(tmp_path / NAME)["a"], MONDAY) == problem


def test_nobody_keeps_them_going(tmp_path: Path) -> None:
    nobody = "no session runs here, and nothing starts one"
    assert problem_of(read_table(tmp_path / NAME).get("a"), MONDAY) == nobody
    code = f"from tests.session.test_account_sessions import *; write_table(Path({str(tmp_path)!r}, NAME), [])"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
    text = (tmp_path / NAME).read_text().replace("[]", '[{"name": "a", "state": "running"}]')
    (tmp_path / NAME).write_text(text)
    assert read_table(tmp_path / NAME) == {}, "its writer has ended"


def test_a_second_request_lets_a_session_cancel_its_orders_before_anybody_kills_it(tmp_path: Path) -> None:
    watched = Watched(tmp_path, ["slow-a"], speed=1)
    watched.until(lambda: ("slow-a", "deaf once") in watched.lines)
    watched.stop.is_urgent = lambda: watched.stop.reason() is not None  # type: ignore[method-assign]
    watched.end()
    assert watched.stands["slow-a"].exit_code == 7


def test_a_program_that_is_not_there_fails_like_one_that_ends(tmp_path: Path) -> None:
    alerts: list[tuple[str, int]] = []
    stop = Stop("sessions")
    stop.bell = FastBell()
    sessions = AccountSessions(
        ["a"],
        FastClock(),
        stop.bell,
        say=lambda *_: None,
        tell=lambda stands: stop.ask("seen") if stands[0].state == "failed" else None,
        alert=lambda name, code: alerts.append((name, code)),
        command=(str(tmp_path / "nothing"),),
    )
    sessions.run(stop)
    assert alerts == [("a", 1)]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))
def test_the_next_start_is_the_first_one_after_the_moment(moment: datetime) -> None:
    found = in_new_york(next_start(moment))
    assert (found.hour, found.minute, found.second) == (9, 25, 0)
    assert found.weekday() < 5
    assert moment < found <= moment + timedelta(days=3, hours=1)
    assert next_start(next_start(moment) - timedelta(seconds=1)) == next_start(moment)


def test_a_session_stops_when_whoever_started_it_is_gone(project: Path) -> None:
    words = [sys.executable, "-m", "rebalancer", "session", "--with-parent", "--speed", "30", "--day", "2026-11-20"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project) as child:
        assert child.stdin is not None
        assert child.stderr is not None
        while "session: simulated" not in (line := child.stderr.readline()):
            assert line, "it ended before it began"
        child.stdin.close()
        rest = child.stderr.read()
        assert (child.wait(300), "its desk has ended" in rest) == (0, True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return folder
