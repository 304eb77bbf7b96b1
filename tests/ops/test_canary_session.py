"""Canaries and a whole session: real processes with real keys on an exchange, a broker that repeats the keys, alerts.

One session trades and is stopped; a second one closes the day. Then everything that was said, sent and written is
searched.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from rebalancer.exchange import errors
from rebalancer.exchange.faults.refusals import REFUSALS
from rebalancer.exchange.faults.rules import faults_of
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.journal import Journal
from rebalancer.session.alert_delivery import summary_of
from rebalancer.session.setup import load_setup
from tests.ops.canary import KEY, KEYED, ROOT, SECRET, Place, found_in, serving

ECHO = f"not today, key {KEY} with {SECRET}, {quote(SECRET, safe='')}"


class Inbox:
    """A receiver of alerts; the first call is answered with a 500 that repeats what was sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers = [500]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = inbox.answers.pop() if inbox.answers and self.command == "POST" else 200
                inbox.bodies.append(body)
                said = f"{self.path} {dict(self.headers)!r}".encode() if status != 200 else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


class Day(NamedTuple):
    """What two sessions of one day left."""

    place: Place
    exchange: RunningExchange
    inbox: Inbox
    traded: bytes
    closed: bytes


def until(true: Callable[[], object], seconds: float = 600.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def ended(file: Path) -> bool:
    """Whether the first cycle has ended."""
    if not file.exists():
        return False
    with Journal.open(file) as journal:
        cycles = journal.cycles()
        return bool(cycles) and not journal.open_cycles(cycles[0].account_id)


def journal_of(place: Place) -> Path:
    return place.folder / "state" / "rebalancer" / "paper" / "journal.sqlite"


def session(place: Place, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "rebalancer", "session", "-v"], cwd=place.folder / "project",
        env=place.environ | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def both(process: subprocess.Popen[bytes]) -> bytes:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err.decode()
    return out + b"\n" + err


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    inbox = Inbox()
    folder = tmp_path_factory.mktemp("session")
    options = ExchangeOptions(
        start=datetime(2026, 11, 20, 15, 4, 58, tzinfo=UTC), rate_limit_per_minute=0, key=KEY, secret=SECRET
    )
    with pytest.MonkeyPatch.context() as patch, serving(inbox.handler()) as alerts, start_exchange(options) as exchange:
        patch.setitem(REFUSALS, "echo", lambda _: errors.forbidden(ECHO))
        rules = [
            {"kind": "refuse", "reason": "echo", "times": 1},
            {"kind": "refuse", "reason": "wash_trade", "times": 1},
        ]
        exchange.exchange.faults.put(faults_of({"rules": rules}, str).rules)
        place = Place(folder, alerts)
        place.environ |= KEYED | {
            "APCA_API_BASE_URL": exchange.url, "APCA_API_DATA_URL": exchange.url,
            "REBALANCER__SIGNALS__SAMPLE": "always", "REBALANCER__ALERTS__MIN_LEVEL": "info",
            "REBALANCER__EXECUTION__PHASE_TIMEOUT_SECONDS": "5",
        }  # fmt: skip
        yield played(place, inbox, exchange)


def played(place: Place, inbox: Inbox, exchange: RunningExchange) -> Day:
    journal = journal_of(place)
    first = session(place, REBALANCER_LOG="human")
    try:
        until(lambda: ended(journal) or first.poll() is not None)
        first.terminate()
        traded = both(first)
    finally:
        first.kill()
    exchange.clock.advance(6 * 3600 + 60)  # after the close
    return Day(place, exchange, inbox, traded, both(session(place, REBALANCER_LOG="json")))


def test_a_session_says_no_secret_at_any_level(day: Day) -> None:
    assert b"order" in day.traded
    assert b"the trading day 2026-11-20 is closed" in day.closed
    assert (found_in(day.traded), found_in(day.closed)) == ([], [])


def test_alerts_carry_no_secret(day: Day) -> None:
    assert b"not today, key " in b"".join(day.inbox.bodies)  # the broker's words, without the keys
    assert [found_in(body) for body in day.inbox.bodies if found_in(body)] == []


def test_no_file_of_a_session_holds_a_secret(day: Day) -> None:
    kept = list(day.place.files())
    names = {path.name for path in kept}
    assert {"journal.sqlite", "2026-11-20_paper_day.html", "2026-11-20_paper_day.json"} <= names
    assert {str(path): found for path in kept if (found := found_in(path.read_bytes()))} == {}


def test_an_error_that_names_the_account_shows_its_last_four_characters(day: Day) -> None:
    with Journal.open(journal_of(day.place)) as journal:
        account_id = journal.cycles(None, 1)[0].account_id
    day.exchange.clock.advance((3 * 24 - 6) * 3600)  # Monday's session: the account is read again
    other = {
        "kind": "set_field",
        "request": "GET /v2/account",
        "field": "account_number",
        "value": "PA3OTHER001",
        "name": "other",
    }
    day.exchange.exchange.faults.put(faults_of({"rules": [other]}, str).rules)
    said = day.place.run("plan").decode()
    day.exchange.exchange.faults.clear()
    assert f"the journal's is ••••{account_id[-4:]}" in said
    assert account_id not in said + (day.traded + day.closed).decode()


@pytest.mark.parametrize(
    "words", ["status --json", "status --json --live", "doctor -v", "report --json", "explain", "history"]
)
def test_no_command_after_a_session_shows_a_secret(day: Day, words: str) -> None:
    said = day.place.run(*words.split())
    assert len(said) > 20
    assert found_in(said) == []


def test_the_days_mail_holds_no_secret(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in day.place.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(day.place.folder / "project")
    setup = load_setup(None)
    with Journal.open(setup.journal) as journal:
        account_id = journal.cycles(None, 1)[0].account_id
        event = [one for one in journal.recall(account_id, "alert") if one.body.get("day") == "2026-11-20"][-1]
        words = summary_of(setup, journal, event)
    assert words is not None
    assert found_in(repr(words).encode()) == []


@pytest.mark.parametrize(
    "crash",
    [
        "raise RuntimeError(sys.argv[1:])",
        "import threading; t = threading.Thread(target=fail); t.start(); t.join()",
        "class Broken:\n    def __del__(self): fail()\nBroken()",
    ],
    ids=["main", "thread", "finaliser"],
)
def test_a_childs_bare_traceback_holds_no_secret(day: Day, crash: str, tmp_path: Path) -> None:
    child = (
        "import logging, sys\n"
        "from rebalancer.ops.logs.setup import Form, set_up\n"
        "set_up(logging.WARNING, Form.HUMAN)\n"
        "def fail(): raise RuntimeError(sys.argv[1:])\n"
        f"{crash}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", child, KEY, SECRET], env=day.place.environ, cwd=ROOT, capture_output=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert b"RuntimeError" in done.stderr
    assert b"[secret]" in done.stderr
    assert found_in(done.stdout + done.stderr) == []
