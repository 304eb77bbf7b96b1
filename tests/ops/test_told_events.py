"""RETRY and ALERT, as they leave the real parts through the real set-up of the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.errors import BrokerUnavailable
from rebalancer.journal import Journal
from rebalancer.ops.clock import Together
from rebalancer.ops.logs.context import bound
from rebalancer.ops.logs.setup import Form, set_up
from tests.brokers.making import an_order, scripted
from tests.support.scripted_server import reply, reset

AT = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
LIMITED = '{"code":42910000,"message":"rate limit exceeded"}'


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Lines as JSON; the logger is given back as it was."""
    logger = logging.getLogger("rebalancer")
    handlers, level = logger.handlers[:], logger.level
    logger.handlers[:] = []
    set_up(logging.INFO, Form.JSON)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def told(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [{k: v for k, v in one.items() if k != "at"} for one in lines if one.get("event") == event]


def test_every_attempt_but_the_last_tells_of_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    together = Together(2)
    steps = [reply(503, "sorry"), reply(429, LIMITED, headers=[("Retry-After", "0")]), reset(), reply(200, "[]")]
    with scripted(steps) as (broker, _), bound(cycle="2026-11-20T15:35Z"):
        assert together(lambda ask: ask(), [broker.positions]) == [()]
    together.close()
    found = told(capsys, "retry")
    waits = [one.pop("wait") for one in found]
    assert [0.125 * 2**n <= float(wait) <= 0.25 * 2**n for n, wait in enumerate(waits)] == [True] * 3
    reasons = [
        "the broker failed (503): sorry",
        "rate limited (429): rate limit exceeded",
        "the connection ended before the whole answer had come",
    ]
    assert found == [
        {
            "level": "info",
            "text": f"GET /positions: attempt {n} of 6: {reason}; again in {wait} s",
            "logger": "rebalancer.world.brokers.asking",
            "event": "retry",
            "cycle": "2026-11-20T15:35Z",
            "call": "GET /positions",
            "attempt": str(n),
            "reason": reason,
        }
        for n, (reason, wait) in enumerate(zip(reasons, waits, strict=True), 1)
    ]


def test_the_last_attempt_and_a_post_tell_of_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([reply(503)], repeat_last=True, total_timeout_seconds=30) as (broker, _):
        with pytest.raises(BrokerUnavailable):
            broker.cancel("7b08df51-c1ac-453c-99f9-323a5f075f0d")
        cancelled = told(capsys, "retry")
        assert broker.submit(an_order()).kind == "unknown"
    assert [one["attempt"] for one in cancelled] == ["1", "2", "3", "4", "5"]
    assert {one["call"] for one in cancelled} == {"DELETE /orders/7b08df51-c1ac-453c-99f9-323a5f075f0d"}
    assert told(capsys, "retry") == []


def test_an_alert_is_told_once_it_is_in_the_outbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = {"level": "action", "code": "stale_signals", "text": "all signals are stale"}
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        journal.record_event("PA3ABC7Q2", "2026-11-20T15:35Z", AT, "alert", "external", stale)
        journal.record_events("PA3ABC7Q2", None, AT, [("note", "x", {}), ("alert", None, {"text": "plain"})])
        with pytest.raises(ValueError, match=r"^slot events"):
            journal.record_events("PA3ABC7Q2", None, AT, [("alert", "not written", stale), ("slot", "x", {})])
        assert len(journal.recall("PA3ABC7Q2", "alert")) == 2
    common = {"level": "info", "logger": "rebalancer.alerts", "event": "alert", "account": "••••C7Q2"}
    assert told(capsys, "alert") == [
        {
            **common, "text": "alert: action: all signals are stale", "cycle": "2026-11-20T15:35Z",
            "alert_level": "action", "alert_code": "stale_signals", "alert_about": "external",
        },
        {**common, "text": "alert: warning: plain", "alert_level": "warning", "alert_code": "alert"},
    ]  # fmt: skip
