"""A simulated day whose session was killed goes on where it stopped, and is played once all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

from rebalancer.core.errors import JournalBroken
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import Journal
from rebalancer.journal.status_query import query_status
from tests.cli.conftest import ROOT, Command, command, project  # noqa: F401
from tests.session.simulated import at
from tests.session.test_year import expected_slots

DAY = "2026-11-20"
WORDS = ("session", "--speed", "36000", "--day", DAY)


def cycles_in(file: Path) -> int:
    try:
        seen = query_status(file, now=at(DAY))
    except JournalBroken:
        return 0
    return 0 if seen is None or seen.last_end is None else 1


def test_a_killed_day_goes_on_and_a_closed_one_is_over(command: Command, tmp_path: Path, project: Path) -> None:  # noqa: F811
    environ = os.environ | {"PYTHONPATH": str(ROOT), "REBALANCER__PROTECTION__POLL_SECONDS": "60"}
    journal = tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", *WORDS], cwd=project, env=environ, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 300
    while not cycles_in(journal):
        assert time.monotonic() < end, "no cycle has ended"
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", *WORDS], cwd=project, env=environ, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    slots = {slot.id for slot in expected_slots(date.fromisoformat(DAY), date.fromisoformat(DAY))}
    with Journal.open(journal) as kept:
        account_id = kept.cycles()[0].account_id
        ends = kept.slots(account_id, list(slots))
        assert kept.open_cycles(account_id) == ()
    assert set(ends) == slots
    outcomes = Counter(outcome for _, outcome, _ in ends.values())
    assert outcomes[CycleOutcome.COMPLETED] + outcomes[CycleOutcome.HOLDING] > 10, outcomes
    again = command(*WORDS)
    assert (again.code, "cannot go back" in again.err) == (78, True)
