"""A throttle that is latched: said by `status` on any later day, lifted by `resume`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rebalancer.execution.pretrade.throttle import latch_throttle
from rebalancer.journal import Journal
from tests.cli.conftest import Command

LONG_AGO = datetime(2026, 10, 1, 16, 0, tzinfo=UTC)


def test_a_latched_throttle_is_said_kept_and_lifted(command: Command, tmp_path: Path) -> None:
    assert command("run-now").code in (0, 4)
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        latest = journal.cycles(None, 1)[0]
        latch_throttle(journal, latest.account_id, latest.cycle_id, LONG_AGO, "61 orders within a minute")
    said = "no orders are sent: 61 orders within a minute; open it with: rebalancer resume --reason ..."
    assert json.loads(command("status", "--json").out)["stopped"] == said
    lifted = command("resume", "--reason", "looked at it")
    assert lifted.err.splitlines() == [
        "orders may be sent again: the throttle had stopped them",
        "the kill switch was not set",
    ]
    assert json.loads(command("status", "--json").out)["stopped"] == ""
