"""A live account takes nothing over HTTP until it is allowed to and armed after that."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text
from rebalancer.ops.clock import SystemClock
from rebalancer.web.place import WebPlace


@pytest.mark.parametrize(
    ("mode", "allowed", "armed", "why"),
    [
        ("simulated", False, None, None),
        ("paper", False, None, None),
        ("live", False, True, "this is a live account, and web.live_writes is false"),
        ("live", True, None, "this is a live account, and no arm-live was given since web.live_writes was set"),
        ("live", True, False, "this is a live account, and no arm-live was given since web.live_writes was set"),
        ("live", True, True, None),
    ],
)
def test_a_live_account_is_armed_first(
    tmp_path: Path, mode: str, allowed: bool, armed: bool | None, why: str | None
) -> None:
    rules = Rules.model_validate({"web": {"live_writes": allowed}, "broker": {"account_id": "account-1234"}})
    if armed is not None:
        now = SystemClock().wall()
        token = {"account": "1234", "from": time_text(now), "until": time_text(now + timedelta(hours=1)), "web": armed}
        path = tmp_path / "live.armed"
        path.write_text(json.dumps(token))
        path.chmod(0o600)
    assert WebPlace(tmp_path, tmp_path, tmp_path, mode, rules).refuses_writes() == why
