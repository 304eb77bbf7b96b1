"""The health of the sources over HTTP: those that are enabled, as the process that asks them reported last."""

from __future__ import annotations

from pathlib import Path

from rebalancer.core.rules import Rules
from rebalancer.core.values import time_text
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.source_status import LOCK_NAME, SourceStatus, SourceStatusFile
from rebalancer.web.facts import source_health
from rebalancer.web.place import WebPlace

OFF = SourceStatus(
    "xai", "off", "key", "xai answered 401: no", "set XAI_API_KEY", None, 3, 1, 0, 0, "", 2, None, "0.20", "1.00",
    "2026-11-20T15:35:00Z", 1,
)  # fmt: skip


def test_enabled_sources_with_what_they_reported(tmp_path: Path) -> None:
    rules = Rules.model_validate({"signals": {"sources": {"xai": {"enabled": True}, "massive": {"enabled": True}}}})
    place = WebPlace(tmp_path, tmp_path, tmp_path, "simulated", rules)
    silent = {"name": "massive", "weight": 0.4, "is_ok": False, "status": None}
    assert source_health(place) == {"sources": [silent, {"name": "xai", "weight": 0.2, "is_ok": False, "status": None}]}
    file, off = SourceStatusFile(tmp_path), OFF._replace(at=time_text(SystemClock().wall()))
    with RunLock(tmp_path / LOCK_NAME, "sources"):
        file.tell(off)
        file.tell(off._replace(name="gone_one"))
        xai = {"name": "xai", "weight": 0.2, "is_ok": False, "status": off._asdict()}
        assert source_health(place) == {"sources": [silent, xai]}
        file.tell(off._replace(state="on", kind=""))
        assert source_health(place)["sources"][1]["is_ok"]
    stopped = source_health(place)["sources"][1]
    assert (stopped["is_ok"], stopped["status"]["state"]) == (False, "stopped")
