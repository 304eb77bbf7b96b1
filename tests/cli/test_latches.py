"""A loss limit that is latched for the day: said by `status`, kept by the next run, lifted by `resume`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.journal import Journal
from tests.cli.conftest import Command

BROKEN = "3.00% lost today; the limit is 2.00%"
TRADING = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)  # the day on which the embedded exchange begins


def latch(state: Path) -> None:
    """As a cycle writes it, today by every clock."""
    at = max(datetime.now(UTC), TRADING)
    with Journal.open(state / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        account_id = journal.cycles(None, 1)[0].account_id
        journal.record_event(account_id, None, at, "latched", "daily_loss", {"because": BROKEN})


def test_a_latch_is_said_kept_and_lifted(command: Command, tmp_path: Path) -> None:
    assert command("run-now").code in (0, 4)
    assert json.loads(command("status", "--json").out)["stopped"] == ""
    latch(tmp_path / "state")
    assert json.loads(command("status", "--json").out)["stopped"] == f"only reductions are sent today: {BROKEN}"
    assert f"✘ stopped: only reductions are sent today: {BROKEN}" in command("status").out
    halted = command("run-now")
    assert halted.code == 5
    assert "latched for the rest of the day" in halted.out
    assert command("resume", "--reason", " ").code == 2
    lifted = command("resume", "--reason", "looked at it")
    assert (lifted.code, lifted.err) == (0, "latched limit lifted: daily_loss\nthe kill switch was not set\n")
    assert json.loads(command("status", "--json").out)["stopped"] == ""
    assert command("run-now").code in (0, 4)
