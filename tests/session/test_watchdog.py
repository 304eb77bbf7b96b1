"""What takes long before and after a day keeps telling systemd that it lives."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.brokers.endpoints import Endpoints
from rebalancer.brokers.factory import Connection
from rebalancer.core.documents import plain
from rebalancer.core.rules import Rules
from rebalancer.journal import verify
from rebalancer.market_data.trading_calendar import TradingDay
from rebalancer.ops.notify import Notify
from rebalancer.session.setup import Setup
from rebalancer.session.stop import Stop
from rebalancer.session.work import AttentiveClock, SessionWork
from rebalancer.settings.load import load_rules
from tests.rebalance.conftest import BASE
from tests.report.tradervue_server import TradervueServer
from tests.support.rig import CREDENTIALS, Process, Rig, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")  # pandas_market_calendars says it to pandas 3

FRIDAY = date(2026, 11, 20)
LOGIN = {"TRADERVUE_USERNAME": "anna", "TRADERVUE_PASSWORD": "s3cret-word"}


class Watched:
    """Virtual time, and systemd's ear: how long, by that time, nothing was heard."""

    def __init__(self, ear: socket.socket) -> None:
        ear.setblocking(False)
        self._ear = ear
        self.seconds, self.silent, self.ticks = 0.0, 0.0, 0
        self.longest = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return datetime(2026, 11, 20, 21, 5, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def wait(self, seconds: float) -> None:
        self.listen()
        self.seconds += seconds
        self.silent += seconds
        self.longest = max(self.longest, self.silent)

    def listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                if self._ear.recv(4096) == b"WATCHDOG=1":
                    self.silent, self.ticks = 0.0, self.ticks + 1


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        yield Watched(ear)


def notify(tmp_path: Path) -> Notify:
    return Notify(str(tmp_path / "notify"), watchdog_seconds=180.0)


def test_a_long_wait_ticks_again_and_again(watched: Watched, tmp_path: Path) -> None:
    AttentiveClock(notify(tmp_path), watched, real=watched).wait(290)
    watched.listen()
    assert (watched.seconds, watched.longest, watched.ticks) == (290.0, 20.0, 15)


class Heard(Notify):
    """Counts instead of sending: a socket that nobody empties holds a few messages only."""

    def __init__(self) -> None:
        super().__init__(None)
        self.ticks = 0

    def alive(self) -> None:
        self.ticks += 1


@contextlib.contextmanager
def working(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, heard: Notify
) -> Iterator[tuple[SessionWork, Process]]:
    """The work of a day on which something was traded. url: of Tradervue, "" when nothing is to be copied."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("rebalancer.session.work.SystemClock", lambda: watched)
    with Rig(tmp_path / "state") as rig:
        rig.run(BASE, rules())
        process = rig.process()
        loaded = load_rules([], {})
        told = plain(loaded.rules.model_dump(mode="python"))
        told["export"] |= {"tradervue": bool(url), "tradervue_url": url or "https://nowhere.invalid"}
        loaded = loaded._replace(rules=Rules.model_validate(told))
        work = SessionWork(
            Setup(tmp_path, loaded, "paper", tmp_path / "state", LOGIN), Connection(CREDENTIALS, Endpoints(rig.url)),
            process.journal, rig.account_id, process.world.broker, Stop(), heard, watched,
        )  # fmt: skip
        yield work, process


def close_the_day(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> list[str]:
    """The day ends; what is said about Tradervue."""
    with working(watched, tmp_path, monkeypatch, url, notify(tmp_path)) as (work, process):
        work.end_of_day(TradingDay(FRIDAY, None, (), datetime(2026, 11, 20, 21, tzinfo=UTC)), {"HOLDING": 1})
        watched.listen()
        alerts = process.journal.recall(work._account_id, "alert")
        return [str(event.body["text"]) for event in alerts if event.key == "tradervue"]


def test_every_call_to_the_broker_ticks(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert close_the_day(watched, tmp_path, monkeypatch, "") == []
    assert watched.seconds == 0.0  # nothing was waited for
    assert watched.ticks >= len(("orders", "account", "positions", "activities"))


def test_the_look_through_the_journal_and_its_copy_tick(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_BATCH", 1)
    heard = Heard()
    with working(watched, tmp_path, monkeypatch, "", heard) as (work, process):
        monkeypatch.setattr(work, "recover", lambda: None)  # the orders are another matter
        seen = len(process.journal.events())
        work.prepare()
        assert heard.ticks >= seen > 10
        before = heard.ticks
        work._back_up()
        assert heard.ticks - before >= seen


def test_the_copy_to_a_tradervue_that_keeps_us_waiting_ticks(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TradervueServer() as server:
        server.faults.extend(["429"] * 50)
        server.retry_after = "25"
        (said,) = close_the_day(watched, tmp_path, monkeypatch, server.url)
    assert "executions are not in Tradervue yet: no more than 60 seconds are spent on it" in said
    assert 25 <= watched.seconds < 60
    assert watched.longest == 20.0
