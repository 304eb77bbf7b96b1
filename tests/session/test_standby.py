"""A host that stands by: systemd takes it for started, hears from it often enough, and it goes on once it may."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rebalancer.core.rules import Rules
from rebalancer.journal.lease import LeaseRow
from rebalancer.ops.notify import Notify
from rebalancer.session import standby

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
OTHER = LeaseRow("a", 3, "bbbb", "beta", "1", NOON, NOON, NOON + timedelta(hours=1), True, NOON)


@pytest.mark.parametrize(("seconds", "pause"), [(3600, 20.0), (60, 6.0)])
def test_a_start_that_lasts_days(seconds: int, pause: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Rules.model_validate({"journal": {"url": "postgresql://db/x", "lease_seconds": seconds}})
    setup: Any = SimpleNamespace(state=tmp_path, rules=rules)
    journal: Any = SimpleNamespace(has_leases=True, note_head=lambda: None)
    waits: list[float] = []
    stop: Any = SimpleNamespace(reason=lambda: None, bell=SimpleNamespace(wait=waits.append))
    found = iter([OTHER, OTHER, None])
    monkeypatch.setattr(standby, "_others", lambda *_: next(found))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        notify = Notify(str(tmp_path / "notify"), watchdog_seconds=180.0)
        standby.wait_for_lease(setup, journal, "a", stop, notify)
        heard = [ear.recv(4096).decode() for _ in range(4)]
    assert waits == [pause, pause]
    assert heard == [
        "READY=1\nSTATUS=standing by",
        "STATUS=standing by: beta trades the account, token 3, until 2026-11-20T18:00:00Z or longer",
        "WATCHDOG=1",
        "WATCHDOG=1",
    ]
