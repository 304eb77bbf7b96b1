"""From the command line and the session to a real server: run-now, `alerts`, `alerts test`, a unit that has failed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rebalancer.cli.alerts import show_alerts
from rebalancer.cli.alerts import test_channels as send_test
from rebalancer.cli.commands import app
from rebalancer.core.errors import BrokerUnavailable, LockHeld
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.execution.kill_switch import write_halt
from rebalancer.journal import Journal
from rebalancer.market_data.trading_calendar import Slot
from rebalancer.session import unit_failed
from rebalancer.session.alert_delivery import alerting, summary_of
from rebalancer.session.alert_rules import ReportingSlotBook, report_day
from rebalancer.session.doctor.channels import check_channels, check_channels_there
from rebalancer.session.setup import Setup, load_setup
from tests.alerts.servers import MailServer, WebServer

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
CANARY = "kQ7-canary-secret"
OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer().running() as server:
        yield server


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: WebServer) -> Setup:
    for name in [name for name in os.environ if name.startswith(("APCA_", "REBALANCER_", "STATE_DIRECTORY"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REBALANCER__REPORTING__DIRECTORY", str(tmp_path / "reports"))
    monkeypatch.setenv("REBALANCER_ALERT_WEBHOOK", f"{web.url}/{CANARY}")
    monkeypatch.setenv("REBALANCER_HEARTBEAT_URL", f"{web.url}/beat/{CANARY}")
    return load_setup(None)


def posted(web: WebServer) -> list[dict[str, Any]]:
    return [json.loads(body) for method, path, _, body in web.requests if path == f"/{CANARY}"]


def note(setup: Setup, text: str, key: str = "KO", level: str = "warning") -> None:
    with Journal.open(setup.journal) as journal:
        at = datetime.fromtimestamp(setup.journal.stat().st_mtime, UTC)
        journal.record_event("acc", None, at, "alert", key, {"level": level, "code": "late_fill", "text": text})


def test_a_run_by_hand_that_halts_is_told_and_listed(
    setup: Setup, web: WebServer, capfd: pytest.CaptureFixture[str]
) -> None:
    write_halt(setup.state, "enough")
    assert CliRunner().invoke(app, ["run-now"]).exit_code == 5
    assert [(m["level"], m["code"], m["key"], m["count"]) for m in posted(web)] == [
        ("warning", "halted", "HALTED_KILL_SWITCH", 1)
    ]
    assert CliRunner().invoke(app, ["run-now"]).exit_code == 5
    assert len(posted(web)) == 1, "once per stretch"
    capfd.readouterr()
    assert show_alerts(None, limit=5, as_json=True) == 0
    shown, said = capfd.readouterr()
    (row,) = json.loads(shown)["alerts"]
    assert (row["code"], row["channels"]) == ("halted", {"webhook": "sent"})
    assert CANARY not in shown + said


def test_a_list_says_what_waits_and_what_failed(
    setup: Setup, web: WebServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert show_alerts(None, limit=5, as_json=False) == 0
    assert capfd.readouterr().out == "no alerts\n"
    note(setup, "one")
    web.statuses = [503]
    with Journal.open(setup.journal) as journal, alerting(setup, journal, "acc"):
        pass
    note(setup, "small", level="info")
    show_alerts(None, limit=5, as_json=False)
    shown = capfd.readouterr().out
    assert "webhook: failed (1 of 8)" in shown
    assert "webhook: summary only" in shown


def test_a_test_message_goes_through_every_channel(
    setup: Setup, web: WebServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailServer(login=f"me:{CANARY}").running() as mail:
        monkeypatch.setenv("REBALANCER_SMTP_URL", f"smtp://me:{CANARY}@127.0.0.1:{mail.port}")
        monkeypatch.setenv("REBALANCER__ALERTS__EMAIL_TO", "a@example.com")
        assert send_test(None) == 0
        assert [letter["Subject"] for letter in mail.letters] == ["[SIMULATED] test message"]
        found = [*check_channels(load_setup(None)), *check_channels_there(load_setup(None))]
        assert [one.level for one in found] == ["ok"] * 6
        web.statuses = [500]
        assert send_test(None) == 69
    shown, said = capfd.readouterr()
    assert "✘ webhook: http://127.0.0.1/…: it answered 500" in shown
    assert CANARY not in shown + said + str(found)
    assert [one.level for one in check_channels_there(load_setup(None))] == ["ok", "warn", "ok"]


def test_without_any_channel_a_test_fails_and_says_so(
    setup: Setup, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REBALANCER_ALERT_WEBHOOK")
    monkeypatch.delenv("REBALANCER_HEARTBEAT_URL")
    assert send_test(None) == 69
    assert capfd.readouterr().out == "no channel is set up; see docs/how-to/alerts.md\n"


def test_a_session_pings_after_each_slot(setup: Setup, web: WebServer) -> None:
    slot = Slot("2026-11-20T14:30Z", OPEN, False)
    ends: list[Any] = [
        "COMPLETED 1 of 1 order filled",
        "HALTED_DRAWDOWN 0 of 0",
        LockHeld("x"),
        BrokerUnavailable("x"),
    ]

    def cycle(_: Slot) -> str:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return str(end)

    beats: list[str] = []
    with Journal.open(setup.journal) as journal, alerting(setup, journal, "acc") as tells:
        tells.beat = lambda failure="": beats.append(failure)  # type: ignore[method-assign]  # pings overtake each other
        run = tells.beating(cycle)
        run(slot)
        run(slot)
        for error in (LockHeld, BrokerUnavailable):
            with pytest.raises(error):
                run(slot)
    assert beats == ["", f"slot {slot.id}: HALTED_DRAWDOWN 0 of 0", f"slot {slot.id}: BrokerUnavailable"]


def test_a_session_that_dies_tells_the_heartbeat(setup: Setup, web: WebServer) -> None:
    with (
        pytest.raises(RuntimeError),
        Journal.open(setup.journal) as journal,
        alerting(setup, journal, "acc"),
    ):
        raise RuntimeError(CANARY)
    assert [(path, body) for _, path, _, body in web.requests] == [
        (f"/beat/{CANARY}/fail", b"the session ended with RuntimeError")
    ]


def test_a_day_that_is_played_fast_tells_nobody_then_or_later(setup: Setup, web: WebServer) -> None:
    with Journal.open(setup.journal) as journal:
        with alerting(setup, journal, "acc", is_real=False) as tells:
            tells.beat("x")
            note(setup, "played")
        with alerting(setup, journal, "acc"):
            note(setup, "real", key="JPM")
    assert [m["text"].split("\n")[0] for m in posted(web)] == ["real"]
    assert len(web.requests) == 1


def test_a_failed_unit_is_told_at_once(setup: Setup, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    note(setup, "one")
    monkeypatch.setattr("sys.argv", ["unit_failed", "paper-trading-session.service"])
    assert unit_failed.main() == 0
    assert [m["code"] for m in posted(web)] == ["late_fill", "unit_failed"]
    assert [path for method, path, _, _ in web.requests if "beat" in path] == [f"/beat/{CANARY}/fail"]


def test_a_database_that_is_away_leaves_the_heartbeat(
    setup: Setup, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REBALANCER__JOURNAL__URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr("sys.argv", ["unit_failed", "paper-trading-session.service"])
    assert unit_failed.main() == 1
    assert [path for _, path, _, _ in web.requests] == [f"/beat/{CANARY}/fail"]


def test_missed_slots_are_told_in_one_sentence(setup: Setup) -> None:
    slots = [Slot(f"2026-11-20T14:{30 + 5 * n}Z", OPEN + timedelta(minutes=5 * n), False) for n in range(4)]
    with Journal.open(setup.journal) as journal:
        book = ReportingSlotBook(journal, "acc")
        assert book.sweep(slots[:3], OPEN + timedelta(hours=1)) == 3
        assert book.sweep(slots[:3], OPEN + timedelta(hours=1)) == 0
        assert book.close(slots[3], OPEN, CycleOutcome.HALTED_BROKER_DOWN, "silent")
        told = [(e.body["level"], e.body["code"], e.body["text"]) for e in journal.events(kind="alert")]
    assert told == [
        ("warning", "missed_slots",
         "3 slots from 2026-11-20T14:30Z to 2026-11-20T14:40Z were missed: no session was running"),
        ("warning", "halted", "no cycle ran in the slot 2026-11-20T14:45Z: HALTED_BROKER_DOWN: silent"),
    ]  # fmt: skip


def test_the_summary_is_the_days_mail_with_its_page_and_the_small_notes(setup: Setup) -> None:
    with Journal.open(setup.journal) as journal:
        small = {"level": "info", "code": "note", "text": "a <small> thing"}
        journal.record_event("acc", None, OPEN, "alert", "note", small)
        report_day(journal, "acc", OPEN, date(2026, 11, 20), "2026-11-20: 78 slots")
        words = summary_of(setup, journal, journal.events(kind="alert")[-1])
    assert words is not None
    assert words.subject.startswith("[SIMULATED] ")
    assert words.text.startswith("2026-11-20: 78 slots\n")
    assert "NOTES OF THE DAY\n- 14:30 UTC: a <small> thing\n" in words.text
    assert "a &lt;small&gt; thing" in words.html
    assert words.attachment is not None
    assert words.attachment.name.endswith(".html")
    assert words.attachment.html.startswith("<!")
