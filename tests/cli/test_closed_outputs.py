"""The program's own output is full or closed, or no file handle is left: trading and report do not depend on it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


def rebalancer(project: Path, *words: str, stdout: int | None = None, closed: bool = False, handles: int = 0) -> int:
    """Run the command in a process of its own; returns its exit code."""

    def prepare() -> None:
        if closed:
            os.close(1)
            os.close(2)
        if handles:
            resource.setrlimit(resource.RLIMIT_NOFILE, (handles, handles))

    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", *words],
        cwd=project, stdout=stdout, stderr=subprocess.DEVNULL, preexec_fn=prepare, timeout=600,
    )  # fmt: skip
    return done.returncode


def last(project: Path) -> tuple[str, int]:
    """The newest cycle by its report, and how many of its orders filled."""
    record = json.loads(max((project / "reports").glob("20*/*.json")).read_text())
    return record["outcome"], sum(order["state"] == "FILLED" for order in record["orders"])


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_output_is_told_and_the_report_is_there(project: Path) -> None:
    with FULL.open("wb") as full:
        assert rebalancer(project, "run-now", stdout=full.fileno()) == 1
    outcome, filled = last(project)
    assert outcome == "COMPLETED"
    assert filled > 5


def test_closed_outputs_change_nothing(project: Path) -> None:
    assert rebalancer(project, "run-now", closed=True) == 0
    assert last(project)[0] == "COMPLETED"
    assert rebalancer(project, "status", closed=True) == 0


def test_without_file_handles_nothing_is_sent_and_the_next_run_is_as_the_first(project: Path) -> None:
    assert rebalancer(project, "run-now", stdout=subprocess.DEVNULL, handles=12) == 69
    assert rebalancer(project, "run-now", stdout=subprocess.DEVNULL) == 0
    outcome, filled = last(project)
    assert outcome == "COMPLETED"
    assert filled > 5
