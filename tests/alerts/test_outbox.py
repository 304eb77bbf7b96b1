"""The outbox on a real journal: once, in order, folded, again after a restart, never more than the hour allows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.alerts import Message, NotDelivered, Outbox
from rebalancer.alerts.address import web_address
from rebalancer.alerts.outbox import Pass
from rebalancer.alerts.pending import HOURLY, pause_after
from rebalancer.alerts.webhook import Webhook
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.core.rules import Alerts
from rebalancer.core.values import time_text
from rebalancer.journal import Journal
from rebalancer.ops.run_lock import RunLock
from tests.alerts.servers import WebServer
from tests.support.closed_at_end import closed_at_end

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
CANARY = "kQ7-canary-secret"


class Hands:
    """A clock that is set by hand."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def wall(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Box:
    """A channel that notes what it is sent; it fails as long as `broken`."""

    name, shown = "box", "a box"

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.tried: list[str] = []
        self.broken = False

    def send(self, message: Message) -> None:
        self.tried.append(message.id)
        if self.broken:
            raise NotDelivered("it answered 500")
        self.messages.append(message)

    def reach(self) -> str:
        return "fine"


class Desk:
    """A journal, a clock, a channel; every `outbox()` is a process of its own. ahead: by how much the account's clock,
    which dates the alerts, is ahead of the machine's."""

    def __init__(self, folder: Path, ahead: timedelta = timedelta(0)) -> None:
        self.journal = closed_at_end(Journal.open(folder / "j.sqlite"))
        self.clock, self.box, self.folder = Hands(), Box(), folder
        self.ahead = ahead

    def alert(self, text: str, code: str = "late_fill", key: str = "KO", level: str = "warning") -> None:
        body = {"level": level, "code": code, "text": text}
        at = self.clock.at if code == "unit_failed" else self.clock.at + self.ahead
        self.journal.record_event("acc", None, at, "alert", key, body)

    def slot(self) -> None:
        at = self.clock.at + self.ahead
        assert self.journal.close_slot("acc", time_text(at), at, CycleOutcome.MISSED, "nobody was there")

    def outbox(self, *channels: object, **rules: object) -> Outbox:
        ways = channels or (self.box,)
        wanted = Alerts.model_validate(rules)
        return Outbox(self.journal, "acc", "paper", ways, wanted, self.clock, self.folder / "alerts.lock")  # type: ignore[arg-type]  # what is a channel is for the test to say

    def subjects(self) -> list[str]:
        return [message.subject for message in self.box.messages]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.journal.close()


def test_each_alert_is_told_once_and_in_order(desk: Desk) -> None:
    desk.alert("one", key="A")
    desk.alert("two", key="B", level="action")
    desk.alert("three", key="C")
    assert desk.outbox().deliver() == Pass(3, 0, None)
    assert desk.outbox().deliver(at_once=True) == Pass(0, 0, None)
    assert desk.subjects() == ["[PAPER] warning: one", "[PAPER] action: two", "[PAPER] warning: three"]
    assert [e.key for e in desk.journal.events(kind="alert_sent")] == ["1/box", "2/box", "3/box"]


def test_what_is_too_small_waits_for_the_summary(desk: Desk) -> None:
    desk.alert("small", level="info")
    desk.alert("2026-11-20: 78 slots", code="summary", key="2026-11-20", level="info")
    desk.outbox(summary=False).deliver()
    assert desk.subjects() == []
    desk.outbox().deliver()
    assert desk.subjects() == ["[PAPER] info: 2026-11-20: 78 slots"]
    desk.outbox(min_level="info").deliver()
    assert desk.subjects()[1:] == ["[PAPER] info: small"]


def test_the_same_again_is_folded_within_the_hour_and_counted(desk: Desk) -> None:
    desk.alert("it is late")
    desk.outbox().deliver()
    for _ in range(3):
        desk.clock.wait(300)
        desk.alert("it is late again")
        assert desk.outbox().deliver() == Pass(0, 0, NOON + timedelta(hours=1))
    desk.clock.at = NOON + timedelta(hours=1)
    assert desk.outbox().deliver() == Pass(1, 0, None)
    assert desk.subjects() == ["[PAPER] warning: it is late", "[PAPER] warning: 3 times: it is late again"]
    assert desk.box.messages[1].alerts == 3


def test_what_is_worse_than_before_does_not_wait(desk: Desk) -> None:
    desk.alert("it is late")
    desk.outbox().deliver()
    desk.alert("it is far too late", level="action")
    desk.outbox().deliver()
    assert desk.subjects() == ["[PAPER] warning: it is late", "[PAPER] action: it is far too late"]


def test_a_failure_is_tried_again_by_later_processes_under_the_same_id_and_holds_the_others_up(desk: Desk) -> None:
    desk.alert("one", key="A")
    desk.box.broken = True
    first = desk.outbox().deliver()
    assert (first.delivered, first.failed) == (0, 1)
    assert first.wake_at is not None
    desk.alert("two", key="A")  # another of the same kind must not change the message that is tried again
    desk.alert("three", key="B")
    assert desk.outbox().deliver() == Pass(0, 0, first.wake_at)
    desk.box.broken = False
    assert desk.outbox().deliver(at_once=True).delivered == 3
    assert desk.subjects() == ["[PAPER] warning: one", "[PAPER] warning: two", "[PAPER] warning: three"]
    assert desk.box.tried[0] == desk.box.tried[1]
    assert len(set(desk.box.tried)) == 3


def test_it_is_given_up_after_so_many_tries_and_the_next_one_has_its_turn(desk: Desk) -> None:
    desk.alert("one", key="A")
    desk.box.broken = True
    pauses = []
    for _ in range(4):
        wake = desk.outbox(attempts=4).deliver().wake_at
        assert wake is not None
        pauses.append((wake - desk.clock.at).total_seconds())
        desk.clock.at = wake
    assert pauses[:3] == sorted(pauses[:3])
    assert pauses[3] == 0
    desk.box.broken = False
    desk.alert("two", key="B")
    desk.outbox(attempts=4).deliver(at_once=True)
    assert desk.subjects() == ["[PAPER] warning: two"]


def test_a_flood_leaves_as_a_list_and_what_needs_a_person_gets_through(desk: Desk) -> None:
    for number in range(60):
        desk.alert(f"number {number}", key=str(number))
    desk.outbox().deliver()
    assert len(desk.box.messages) == HOURLY
    assert desk.subjects()[-1] == "[PAPER] warning: 41 alerts"
    assert "number 59" in desk.box.messages[-1].text
    desk.alert("one more", key="more")
    desk.alert("help", key="help", level="action")
    assert desk.outbox().deliver() == Pass(1, 0, NOON + timedelta(hours=1))
    assert desk.subjects()[-1] == "[PAPER] action: help"


def test_history_and_days_that_were_played_are_told_to_nobody(desk: Desk) -> None:
    desk.alert("last week")
    desk.clock.wait(5 * 86400)
    desk.alert("played", key="B")
    desk.journal.record_event("acc", None, desk.clock.at, "alerts_muted", None, {})
    desk.alert("real", key="C")
    desk.outbox().deliver()
    assert desk.subjects() == ["[PAPER] warning: real"]


@settings(max_examples=25, deadline=None)
@given(
    days=st.integers(-3000, 3000),
    steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 300, 4000, 90_000, 400_000])), max_size=12),
)
def test_the_distance_of_the_two_clocks_changes_nothing(
    days: int, steps: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = []
    for ahead in (timedelta(0), timedelta(days=days)):
        desk = Desk(tmp_path_factory.mktemp("law"), ahead)
        for number, (key, seconds) in enumerate(steps):
            desk.alert(str(number), code="unit_failed" if key == 0 else "late_fill", key=("unit_failed", "A", "B")[key])
            if key:
                desk.outbox().deliver()
            desk.clock.wait(seconds)
            desk.slot() if seconds else None
        desk.outbox().deliver()
        told.append((desk.subjects(), [m.alerts for m in desk.box.messages]))
        desk.journal.close()
    assert told[0] == told[1]


def test_what_was_told_before_an_exchange_stood_still_is_not_told_again(desk: Desk) -> None:
    desk.ahead = timedelta(days=-400)
    desk.alert("one")
    desk.outbox().deliver()
    for weeks in (1, 30):
        desk.clock.wait(weeks * 7 * 86400)
        desk.ahead -= timedelta(weeks=weeks)
        desk.alert("more", key=f"after {weeks}")
        desk.outbox().deliver()
        desk.outbox().deliver()
    assert desk.subjects() == ["[PAPER] warning: one", "[PAPER] warning: more", "[PAPER] warning: more"]


def test_a_cycle_of_days_later_makes_an_alert_history(desk: Desk) -> None:
    desk.ahead = timedelta(days=1500)
    desk.alert("old")
    desk.alert("a unit", code="unit_failed", key="unit_failed")
    desk.ahead += timedelta(days=4, minutes=1)
    desk.slot()
    desk.outbox().deliver()
    assert desk.subjects() == ["[PAPER] warning: a unit"]
    desk.clock.wait(5 * 86400)
    desk.alert("a unit again", code="unit_failed", key="unit_failed")
    desk.outbox().deliver()
    assert desk.subjects()[1:] == ["[PAPER] warning: a unit again"]


def test_while_another_process_delivers_nothing_is_sent_twice(desk: Desk) -> None:
    desk.alert("one")
    with RunLock(desk.folder / "alerts.lock"):
        assert desk.outbox().deliver() == Pass(was_locked=True)
    assert desk.outbox().deliver().delivered == 1


def test_one_channel_that_fails_or_breaks_does_not_keep_the_others_back(desk: Desk) -> None:
    class Broken(Box):
        name = "broken"

        def send(self, message: Message) -> None:
            raise RuntimeError(f"https://{CANARY}/")

    desk.alert("one")
    result = desk.outbox(Broken(), desk.box).deliver()
    assert (result.delivered, result.failed) == (1, 1)
    assert [e.body["why"] for e in desk.journal.events(kind="alert_failed")] == ["it failed (RuntimeError)"]


def test_a_secret_in_an_address_is_in_no_record_and_no_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    with WebServer().running() as web, caplog.at_level(logging.DEBUG):
        web.statuses = [500]
        hook = Webhook(web_address("REBALANCER_ALERT_WEBHOOK", f"{web.url}/{CANARY}"))
        desk.alert("one")
        desk.outbox(hook).deliver()
        desk.outbox(hook).deliver(at_once=True)
        keys = [headers["Idempotency-Key"] for _, _, headers, _ in web.requests]
    assert len(keys) == 2
    assert keys[0] == keys[1]
    kept = b"".join(path.read_bytes() for path in desk.folder.iterdir())
    assert b"alert_failed" in kept
    assert CANARY.encode() not in kept
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("urllib3")]  # DEBUG is never switched on
    assert any("500" in line for line in ours)
    assert CANARY not in "\n".join(ours)


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 4000), st.booleans(), st.booleans()), min_size=1, max_size=25
    )
)
def test_however_it_fails_every_alert_is_told_in_the_end(
    steps: list[tuple[int, int, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    desk = Desk(tmp_path_factory.mktemp("law"))
    for key, seconds, broken, fresh in steps:
        desk.alert("said", key=str(key))
        desk.box.broken = broken
        desk.outbox(attempts=100).deliver(at_once=fresh)
        desk.clock.wait(seconds)
    desk.box.broken = False
    for _ in range(5):
        desk.clock.wait(7300)
        desk.outbox(attempts=100).deliver()
    assert sum(message.alerts for message in desk.box.messages) == len(steps)
    desk.journal.close()


@given(st.integers(1, 1000), st.text(max_size=8))
def test_pauses_grow_are_spread_and_end_below_the_longest(tried: int, name: str) -> None:
    pause = pause_after(tried, name)
    assert timedelta(seconds=15) <= pause <= timedelta(minutes=75)
    assert pause_after(tried, name) == pause
