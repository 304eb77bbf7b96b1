"""The next cycle: told by the session that runs, else by the timer, else how to start one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from rebalancer.ops.paths import SESSION_LOCK_NAME
from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.session_status import NAME, SessionStatusFile, session_status
from rebalancer.report.status_view import newest_report
from rebalancer.session.stop import SIGNALS
from tests.cli.conftest import ROOT, Command

START = "a session: ./start_execution_trading.sh, one cycle: ./run_execution_trading_now.sh"
NEXT = datetime(2026, 11, 20, 15, 10, tzinfo=UTC)
DAY = date(2026, 11, 20)


DUE = re.compile(r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d ET \(\d\d:\d\d local\)   ")


def next_line(command: Command) -> str:
    return command("status").out.splitlines()[-1]


def without_slot(line: str) -> str:
    """The line without the next slot by the calendar, which stands there when no session tells it."""
    assert DUE.search(line)
    return DUE.sub("", line)


@pytest.fixture
def state(command: Command, tmp_path: Path) -> Path:
    assert command("status").code == 0  # makes the state folder
    folder = tmp_path / "state" / "rebalancer" / "simulated"
    folder.mkdir()
    return folder


def test_a_running_session_tells_its_next_slot(command: Command, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    import time

    time.tzset()
    note, pid = SessionStatusFile(state), os.getpid()
    try:
        note.tell(DAY, NEXT, "next cycle Fri 10:10 ET")
        assert next_line(command) == f"next     Fri 2026-11-20 10:10 ET (16:10 local)   session runs, process {pid}"
        note.tell(DAY, NEXT, "running the cycle of Fri 10:05 ET")
        assert next_line(command).endswith(f"session runs, process {pid}: running the cycle of Fri 10:05 ET")
        note.tell(DAY, None, "end of day 2026-11-20")
        assert without_slot(next_line(command)) == f"next     session runs, process {pid}: end of day 2026-11-20"
        note.remove()
        assert without_slot(next_line(command)) == f"next     no session runs, no timer is installed; {START}"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_session_that_has_not_told_anything_yet_is_starting(command: Command, state: Path) -> None:
    assert "no session runs" in next_line(command)
    with RunLock(state / SESSION_LOCK_NAME, "session"):
        assert without_slot(next_line(command)) == f"next     a session is starting, process {os.getpid()}"
    assert "no session runs" in next_line(command)  # the file stays, signed by a process that runs


def test_a_session_that_died_is_not_believed(command: Command, state: Path) -> None:
    code = f"from tests.cli.test_status_next import *; SessionStatusFile(Path({str(state)!r})).tell(DAY, NEXT, 'x')"
    done = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    assert done.wait(600) == 0
    ended = f"the session of 2026-11-20 ended before its day was closed (process {done.pid})"
    assert without_slot(next_line(command)) == f"next     {ended}; {START}"
    body = json.loads((state / NAME).read_text())
    body["pid"] = os.getpid()  # its number belongs to another process now
    (state / NAME).write_text(json.dumps(body))
    assert "ended before its day was closed" in next_line(command)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"pid": -1}', '{"pid": "x", "next_at": 3}',
             '{"pid": 0, "began": "", "day": "d", "next_at": "soon", "doing": "x"}', "\ud800"],
)  # fmt: skip
def test_a_broken_note_is_no_error(state: Path, text: str) -> None:
    (state / NAME).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert session_status(state) is None


def test_the_timer_counts_when_no_session_runs(command: Command, tmp_path: Path) -> None:
    wants = tmp_path / "config" / "systemd" / "user" / "timers.target.wants"
    wants.mkdir(parents=True)
    (wants / "paper-trading-session.timer").symlink_to("/nowhere")
    told = without_slot(next_line(command))
    assert told == "next     paper-trading-session.timer is enabled"


def test_a_session_of_another_mode_is_mentioned(command: Command, state: Path) -> None:
    other = state.with_name("paper")
    other.mkdir()
    SessionStatusFile(other).tell(DAY, NEXT, "x")
    assert without_slot(next_line(command)) == f"next     a session of paper trading runs, process {os.getpid()}"


def test_a_real_session_leaves_the_note_and_takes_it_away(command: Command, state: Path) -> None:
    from rebalancer.session import start as starter

    told: list[tuple[str, str | None, str]] = []

    class Heard(SessionStatusFile):
        def tell(self, day: date, next_at: datetime | None, doing: str) -> None:
            super().tell(day, next_at, doing)
            body = json.loads((state / NAME).read_text())
            told.append((body["day"], body["next_at"], body["doing"]))
            if told[-1][2] == "next cycle Fri 09:35 ET":
                os.kill(os.getpid(), signal.SIGTERM)

    patch = pytest.MonkeyPatch()
    patch.setattr(starter, "SessionStatusFile", Heard)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        assert command("session", "--speed", "1000", "--day", "2026-11-27").code == 0
    finally:
        patch.undo()
        for number, handler in before.items():  # a stopped process ignores them
            signal.signal(number, handler)
    assert told[-3:] == [
        ("2026-11-27", "2026-11-27T14:30:00Z", "next cycle Fri 09:30 ET"),
        ("2026-11-27", "2026-11-27T14:35:00Z", "running the cycle of Fri 09:30 ET"),
        ("2026-11-27", "2026-11-27T14:35:00Z", "next cycle Fri 09:35 ET"),
    ]
    assert not (state / NAME).exists()


def test_the_newest_page_of_the_mode_is_found(project: Path) -> None:
    rules = {"reporting": {"directory": "reports"}}
    assert newest_report("paper", rules) == newest_report("paper", None) == ""
    for name in ("2025/2025-12-31_1555_paper_20251231T2055Z", "2026/2026-11-20_1005_paper_20261120T1505Z",
                 "2026/2026-11-20_1010_paper_20261120T1510Z", "2026/2026-11-23_1010_simulated_20261123T1510Z",
                 "2026/2026-11_paper_month", "2026/zzz"):  # fmt: skip
        page = project / "reports" / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("x")
    assert newest_report("paper", rules) == "reports/2026/2026-11-20_1010_paper_20261120T1510Z.html"
    assert newest_report("live", rules) == ""
    (project / "reports/2026/2026-11-20_paper_day.html").write_text("the day's own page comes last")
    assert newest_report("paper", rules) == "reports/2026/2026-11-20_paper_day.html"
