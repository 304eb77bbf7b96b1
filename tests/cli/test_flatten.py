"""`kill --flatten`: everything is closed, it is said, and nothing is bought again before `resume`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.ops.run_lock import RunLock
from rebalancer.session import flatten_account
from tests.cli.conftest import Command


def test_kill_flatten_closes_everything_and_says_so(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REBALANCER__GATE__DUPLICATE_WINDOW_SECONDS", "0.001")  # the last run buys the same once more
    assert command("run-now").code in (0, 4)
    flat = command("kill", "--flatten", "--reason", "enough")
    lines = flat.out.splitlines()
    assert flat.code == 0, flat.err
    assert lines[0] == "0 open orders cancelled"
    assert lines[-1] == "nothing is held"
    assert len(lines) > 2
    assert all(line.startswith("closed: ") for line in lines[1:-1])
    told = command("status").out
    assert "stopped: enough" in told
    assert "cash 100.0 %" in told, "the money of after the exits, not of the last cycle"
    listed = command("history").out.splitlines()[1]
    assert "✔ completed  kill: " in listed, "what was closed stands among the cycles"
    assert command("run-now").code == 5
    assert command("kill", "--cancel", "--flatten").out.splitlines() == ["0 open orders cancelled", "nothing is held"]
    assert command("resume", "--reason", "looked at it").code == 0
    assert command("run-now").code in (0, 4)


def test_a_run_that_does_not_end_is_told(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("run-now").code in (0, 4)
    state = tmp_path / "state" / "rebalancer" / "simulated"
    monkeypatch.setattr(flatten_account, "LOCK_SECONDS", 0.0)
    for name in ("PHASE", "CANCEL"):
        monkeypatch.setenv(f"REBALANCER__EXECUTION__{name}_TIMEOUT_SECONDS", "0.1")
    with RunLock(state / "run.lock", "another"):
        said = command("kill", "--flatten")
    assert said.code == 75
    assert (state / "HALT").exists(), "the switch is set all the same"
