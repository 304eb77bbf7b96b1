"""The delivery thread: a caller goes on at once, whatever servers do; what was not delivered is still there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from rebalancer.alerts import Channel, DeliveryThread, Outbox
from rebalancer.alerts.address import SmtpServer, web_address
from rebalancer.alerts.heartbeat import Heartbeat
from rebalancer.alerts.mail import Email
from rebalancer.core.rules import Alerts
from rebalancer.journal import Journal
from rebalancer.ops.clock import SystemClock
from tests.alerts.servers import MailServer, WebServer, silent_server

CLOCK = SystemClock()


class Office:
    """A journal on the disk, and postmen that open it for themselves."""

    def __init__(self, folder: Path) -> None:
        self.file, self.folder = folder / "j.sqlite", folder
        Journal.open(self.file).close()

    def alert(self, text: str, key: str = "KO") -> None:
        with Journal.open(self.file) as journal:
            body = {"level": "warning", "code": "late_fill", "text": text}
            journal.record_event("acc", None, CLOCK.wall(), "alert", key, body)

    def kinds(self) -> list[str]:
        with Journal.open(self.file) as journal:
            return [event.kind for event in reversed(journal.latest_events(100))]

    def postman(self, *channels: Channel, heartbeat: Heartbeat | None = None) -> DeliveryThread:
        def outbox() -> AbstractContextManager[Outbox]:
            return self._outbox(channels)

        return DeliveryThread(outbox, heartbeat, CLOCK, 0.02)

    @contextmanager
    def _outbox(self, channels: tuple[Channel, ...]) -> Iterator[Outbox]:
        with Journal.open(self.file, create=False) as journal:
            yield Outbox(journal, "acc", "paper", channels, Alerts(), CLOCK, self.folder / "alerts.lock")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def mail_to(port: int, step_seconds: float = 10.0) -> Email:
    return Email(SmtpServer("smtp", "127.0.0.1", port, "", ""), "a@b.c", ["a@b.c"], step_seconds=step_seconds)


def until(condition: object) -> None:
    assert callable(condition)
    for _ in range(30_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_alerts_of_other_processes_are_delivered_as_they_come(office: Office) -> None:
    with MailServer().running() as mail:
        postman = office.postman(mail_to(mail.port))
        office.alert("before", "A")
        postman.start()
        until(lambda: len(mail.letters) == 1)
        office.alert("meanwhile", "B")
        until(lambda: len(mail.letters) == 2)
        office.alert("at the end", "C")
        postman.close()
    assert [letter["Subject"] for letter in mail.letters] == [
        "[PAPER] warning: before", "[PAPER] warning: meanwhile", "[PAPER] warning: at the end",
    ]  # fmt: skip


def test_a_mail_server_that_hangs_holds_nobody_up_and_the_next_process_delivers(office: Office) -> None:
    office.alert("one")
    with silent_server() as port:
        postman = office.postman(mail_to(port, step_seconds=2.0))
        postman.start()
        until(lambda: any(t.name == "postman" for t in threading.enumerate()))
        for _ in range(100):  # what slots do
            postman.beat()
        postman.close(0.1)
        assert postman.is_alive(), "we went on while it still waits for the server"
        until(lambda: not postman.is_alive())  # it ends by its own limits
    with MailServer().running() as mail:
        again = office.postman(mail_to(mail.port))
        again.start()
        until(lambda: mail.letters)
        again.close()
    assert office.kinds() == ["alert", "alert_failed", "alert_sent"]


def test_a_heartbeat_is_pinged_and_only_the_newest_counts(office: Office) -> None:
    with WebServer().running() as web:
        heart = Heartbeat(web_address("REBALANCER_HEARTBEAT_URL", f"{web.url}/ping"))
        postman = office.postman(heartbeat=heart)
        postman.beat()
        postman.beat("it halted")  # before the thread could send the first
        postman.start()
        until(lambda: web.requests)
        web.statuses = [500]
        postman.beat()
        until(lambda: len(web.requests) == 2)
        postman.beat()
        postman.close()
    assert [(method, path) for method, path, _, _ in web.requests] == [
        ("POST", "/ping/fail"), ("GET", "/ping"), ("GET", "/ping"),
    ]  # fmt: skip
