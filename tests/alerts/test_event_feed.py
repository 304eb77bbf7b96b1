"""Events for programs: signed, in order, at least once with the same id, and none lost over restarts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.alerts.address import BadAddress
from rebalancer.alerts.event_feed import ADDRESS, SECRET, EventFeed, FeedPass, signed_address
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import CycleEnd, CycleStart, Journal
from tests.alerts.servers import WebServer
from tests.alerts.test_outbox import Hands
from tests.support.closed_at_end import closed_at_end

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
TEXT = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    with server.running():
        yield server


class Feeding:
    """A journal with a feed; `feed()` is a process of its own."""

    def __init__(self, folder: Path, web: WebServer) -> None:
        self.journal = closed_at_end(Journal.open(folder / "j.sqlite"))
        self.clock, self.web, self.count = Hands(), web, 0

    def feed(self) -> EventFeed:
        to = signed_address({ADDRESS: self.web.url + "/in", SECRET: TEXT})
        assert to is not None
        return EventFeed(self.journal, "acc", "paper", to, self.clock)

    def cycle(self) -> str:
        self.count += 1
        name = f"2026-11-20T15:{self.count:02d}Z"
        assert self.journal.begin_cycle(CycleStart("acc", name, "paper", NOON, "1", "0" * 64))
        end = CycleEnd("acc", name, NOON, CycleOutcome.HOLDING, "", {}, {}, None, {}, None, True)
        self.journal.close_cycle(end, ())
        return name

    def posted(self) -> list[str]:
        return [json.loads(body)["data"]["cycle_id"] for *_, body in self.web.requests if b"cycle.ended" in body]


def test_the_first_use_begins_at_the_head_and_then_nothing_is_missed(tmp_path: Path, web: WebServer) -> None:
    it = Feeding(tmp_path, web)
    it.cycle()
    assert it.feed().deliver() == FeedPass()
    names = [it.cycle() for _ in range(3)]
    assert it.feed().deliver().delivered == 6  # verdicts and end of each
    assert it.feed().deliver() == FeedPass()
    assert it.posted() == names


def test_an_event_is_signed_as_standard_webhooks_says(tmp_path: Path, web: WebServer) -> None:
    it = Feeding(tmp_path, web)
    it.feed().deliver()
    it.cycle()
    it.feed().deliver()
    for method, path, headers, body in web.requests:
        assert (method, path) == ("POST", "/in")
        sent = {name.lower(): value for name, value in headers.items()}
        signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert sent["webhook-signature"] == f"v1,{mac}"
        document = json.loads(body)
        assert document["id"] == sent["webhook-id"]
        assert set(document) == {"schema", "type", "id", "seq", "timestamp", "mode", "data"}
        assert b"acc" not in body


def test_what_fails_is_tried_again_first_with_the_same_id(tmp_path: Path, web: WebServer) -> None:
    it = Feeding(tmp_path, web)
    it.feed().deliver()
    names = [it.cycle() for _ in range(2)]
    web.statuses = [200, 500]
    found = it.feed().deliver()
    assert (found.delivered, found.failed) == (1, 1)
    assert found.wake_at is not None
    assert it.feed().deliver() == FeedPass(wake_at=found.wake_at)  # also by another process
    it.clock.at += timedelta(hours=2)
    assert it.feed().deliver().delivered == 3
    ids = [json.loads(body)["id"] for *_, body in web.requests]
    assert ids[1] == ids[2]
    assert len(set(ids)) == 4
    assert it.posted() == [names[0], names[0], names[1]]  # the receiver drops the one it has


def test_a_played_day_is_never_posted(tmp_path: Path, web: WebServer) -> None:
    it = Feeding(tmp_path, web)
    it.feed().deliver()
    it.cycle()
    it.journal.record_event("acc", None, NOON, "alerts_muted", None, {"because": "played"})
    name = it.cycle()
    it.feed().deliver()
    assert it.posted() == [name]


@pytest.mark.parametrize(
    "environ",
    [
        {ADDRESS: "https://x.example"},
        {SECRET: TEXT},
        {ADDRESS: "https://x.example", SECRET: "short"},
        {ADDRESS: "https://x.example", SECRET: "whsec_***"},
        {ADDRESS: "http://x.example", SECRET: TEXT},
    ],
)
def test_half_an_address_is_a_problem(environ: dict[str, str]) -> None:
    with pytest.raises(BadAddress) as caught:
        signed_address(environ)
    assert "x.example" not in str(caught.value)
    assert TEXT not in str(caught.value)


def test_without_either_it_is_off() -> None:
    assert signed_address({}) is None
