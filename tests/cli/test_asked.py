"""`kill --flatten` and `resume` ask a person at a terminal, and nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Command


def at_a_terminal(project: Path, answer: str, *words: str) -> tuple[int, str]:
    """The command on a real pseudo-terminal, with an answer typed ahead. Its exit code and everything it showed."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", *words], cwd=project, env=environ, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the terminal's other end is closed
        pass
    os.close(ours)
    return process.wait(300), shown.decode().replace("\r\n", "\n")


@pytest.fixture
def traded(command: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose account holds something."""
    monkeypatch.setenv("REBALANCER__GATE__DUPLICATE_WINDOW_SECONDS", "0.001")
    assert command("run-now").code in (0, 4)
    return project


def held(command: Command) -> bool:
    return "cash 100.0 %" not in command("status").out


def test_a_person_is_shown_what_is_held_and_says_no_then_yes(traded: Path, command: Command, tmp_path: Path) -> None:
    halt = tmp_path / "state" / "rebalancer" / "simulated" / "HALT"
    code, shown = at_a_terminal(traded, "no", "kill", "--flatten", "--reason", "enough")
    lines = shown.splitlines()
    assert code == 4
    assert "kill switch set: nothing will be sent (enough)" in lines
    (summary,) = [number for number, line in enumerate(lines) if " positions worth " in line]
    count = int(lines[summary].partition(" ")[0])
    assert count > 0
    assert all(line.endswith(" USD") for line in lines[summary + 1 : summary + 1 + count])
    assert lines[-2:] == [
        "Cancel all open orders and close every position? [y/N] nothing was closed; the kill switch stays set"
    ] or lines[-1].endswith("nothing was closed; the kill switch stays set")
    assert (halt.exists(), held(command)) == (True, True)

    code, shown = at_a_terminal(traded, "yes", "kill", "--flatten")
    assert (code, shown.splitlines()[-1], held(command)) == (0, "nothing is held", False)


def test_yes_asks_nobody(traded: Path, command: Command) -> None:
    code, shown = at_a_terminal(traded, "", "kill", "--flatten", "--yes")
    assert (code, "[y/N]" in shown, shown.splitlines()[-1]) == (0, False, "nothing is held")
    assert not held(command)


def test_after_a_kill_a_person_is_shown_what_would_be_bought_back(
    traded: Path, command: Command, tmp_path: Path
) -> None:
    halt = tmp_path / "state" / "rebalancer" / "simulated" / "HALT"
    assert command("kill", "--flatten").code == 0, "no terminal: it goes ahead"
    code, shown = at_a_terminal(traded, "n", "resume", "--reason", "looked at it")
    assert code == 5
    assert "the next cycle would " in shown
    assert "Lift the kill switch and the latched limits? [y/N]" in shown
    assert "nothing was lifted" in shown
    assert halt.exists()
    assert command("run-now").code == 5
    code, shown = at_a_terminal(traded, "y", "resume", "--reason", "looked at it")
    assert (code, halt.exists(), "kill switch lifted" in shown) == (0, False, True)


def test_a_resume_without_a_terminal_goes_ahead(traded: Path, command: Command) -> None:
    assert command("kill").code == 0
    lifted = command("resume", "--reason", "a script")
    assert (lifted.code, lifted.out, "[y/N]" in lifted.err) == (0, "", False)
