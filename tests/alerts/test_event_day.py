"""Events for programs over a whole trading day: a real session, and a receiver that fails at times. Everything arrives,
whoever drops the ids it has seen counts each event once, and no cycle is delayed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rebalancer.alerts.event_feed import ADDRESS, SECRET, TYPES, EventFeed, signed_address
from rebalancer.journal import Journal
from rebalancer.ops.clock import SystemClock
from tests.alerts.servers import WebServer
from tests.alerts.test_event_feed import KEY, TEXT
from tests.web.conftest import environment, project_in

DAY = "2026-11-27"  # a half day: 42 slots
FAILING = [200, 500, 200, 503, 302, 200, 200, 429, 200, 404] * 200
# A simulated day tells nobody anything; here it is a day like any other.
SESSION = """
import sys
from rebalancer.session import alert_delivery, start
start.alerting = lambda setup, journal, account_id, **_: alert_delivery.alerting(setup, journal, account_id)
from rebalancer.cli.main import main
sys.argv = ["rebalancer", "session", "--speed", "3600", "--day", sys.argv[1]]
raise SystemExit(main())
"""


def session(folder: Path, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SESSION, DAY], cwd=folder / "project", env=environment(folder) | more,
        capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def slots(journal: Journal) -> Counter[str]:
    """How the day's slots ended."""
    ended = [c for c in journal.cycles(None, 1000) if c.cycle_id.startswith(DAY) and len(c.cycle_id) == 17]
    return Counter(str(c.outcome) for c in ended) + Counter(str(e.body["outcome"]) for e in journal.events(kind="slot"))


def test_every_event_of_a_day_arrives_and_delays_no_cycle(tmp_path: Path) -> None:
    state = project_in(tmp_path)
    web = WebServer()
    web.statuses = list(FAILING)
    to = signed_address({ADDRESS: web.url + "/in", SECRET: TEXT})
    assert to is not None
    with web.running():
        session(tmp_path, **{ADDRESS: web.url + "/in", SECRET: TEXT})
        during = len(web.requests)
        with Journal.open(state / "journal.sqlite") as journal:
            account = journal.latest_events(1)[0].account_id
            feed = EventFeed(journal, account, "simulated", to, SystemClock())
            while (found := feed.deliver(at_once=True)).delivered or found.failed:
                continue
            began = int(journal.recall(account, "events_delivered")[0].body["up_to"])
            expected = list(journal.events_after(began, tuple(TYPES), 100_000))
            outcomes = slots(journal)
    counted: dict[str, dict[str, object]] = {}
    for _, _, headers, body in web.requests:
        sent = {name.lower(): value for name, value in headers.items()}
        signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
        assert sent["webhook-signature"] == f"v1,{base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()}"
        document = json.loads(body)
        assert counted.setdefault(sent["webhook-id"], document) == document  # the same id is the same event
    assert sorted(int(str(d["seq"])) for d in counted.values()) == [event.seq for event in expected]
    assert Counter(d["type"] for d in counted.values()) == Counter(TYPES[event.kind] for event in expected)
    assert {d["type"] for d in counted.values()} == set(TYPES.values())
    print(f"{len(expected)} events, {len(web.requests)} attempts, {during} of them during the day; {dict(outcomes)}")
    assert len(web.requests) > len(expected)
    assert during > 0
    assert sum(outcomes.values()) == 42
    assert not {"MISSED", "ABANDONED", "SKIPPED_TOO_LATE"} & set(outcomes)


@pytest.mark.parametrize("lacking", [ADDRESS, SECRET])
def test_it_is_off_without_both_halves(tmp_path: Path, lacking: str) -> None:
    project_in(tmp_path)
    web = WebServer()
    given = {ADDRESS: web.url + "/in", SECRET: TEXT}
    with web.running():
        done = subprocess.run(
            [sys.executable, "-m", "rebalancer", "run-now"], cwd=tmp_path / "project", timeout=300,
            env=environment(tmp_path) | {k: v for k, v in given.items() if k != lacking}, capture_output=True,
        )  # fmt: skip
    assert done.returncode in (0, 4)
    assert web.requests == []
