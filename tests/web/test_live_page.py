"""The live page in a real browser, over a journal that grows as a real one grew."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import requests

from rebalancer.ops.run_lock import RunLock
from tests.browser.conftest import axe as axe
from tests.browser.devtools import MODES, Browser, Mode, Page, browser_path, start_browser
from tests.browser.test_pages import RUN_AXE, WIDER_THAN_ITS_PLACE
from tests.web.conftest import Server, command, environment, project_in, start
from tests.web.live_browser import (
    differences,
    logged_in,
    opened,
    outside,
    shown,
    submit,
    until,
    violations,
    waited,
)
from tests.web.live_day import day
from tests.web.live_oracle import Oracle
from tests.web.replayed_journal import ReplayedJournal

LIGHT = Mode("light", 1100, "light")
MOMENTS = 12


class Desk(NamedTuple):
    """A server beside a journal that grows, and the folder of its project."""

    server: Server
    folder: Path
    oracle: Oracle
    journal: ReplayedJournal

    def link(self) -> str:
        """A new one-time link, as the command prints it."""
        done = command(self.folder, "web", "login")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = browser_path()
    if path is None:
        pytest.skip("chromium is missing (Debian: apt install chromium)")
    with start_browser(path) as running:
        yield running


@pytest.fixture
def served(traded: Path, tmp_path: Path) -> Iterator[Desk]:
    source = traded / "state" / "rebalancer" / "simulated" / "journal.sqlite"
    state = project_in(tmp_path)
    journal = ReplayedJournal(source, state / "journal.sqlite")
    running = start(tmp_path, state)
    yield Desk(running, tmp_path, Oracle(source), journal)
    if running.process.poll() is None:
        assert running.stop() == 0


@pytest.fixture
def tab(chromium: Browser, served: Desk) -> Iterator[Page]:
    """A tab that is logged in, with no row in the journal yet."""
    with chromium.page() as page:
        page.look(LIGHT)
        page.call("Network.clearBrowserCookies")
        logged_in(page, served.link())
        yield page


def test_its_figures_are_those_of_the_journal_at_every_moment(served: Desk, tab: Page) -> None:
    """Random stretches of rows, in the middle of cycles too; no row is missed."""
    draw = random.Random(17)
    stops = [*sorted(draw.sample(range(2, served.journal.last), MOMENTS - 1)), served.journal.last]
    found: list[str] = []
    compared = 0
    with RunLock(served.server.state / "run.lock", "a cycle"):
        for stop in stops:
            served.journal.go_to(stop)
            until(tab, f"document.querySelector('[data-head]').textContent === '{stop}'")
            seen = shown(tab)
            wanted = served.oracle.figures(seen.head)
            found += differences(seen, wanted)
            compared += len(wanted)
    assert found == []
    print(f"{MOMENTS} moments, {compared} figures")
    until(tab, f"window.live.last === {served.journal.last}")
    assert (seen.live["rows"], seen.live["gaps"]) == (served.journal.last, 0)
    assert tab.evaluate("document.querySelectorAll('[data-log] li').length") == 40
    assert tab.evaluate("document.title") == "○ No session · SIMULATED"
    assert outside(tab, served.server.url) == []
    assert violations(tab) == []


@pytest.mark.campaign
def test_a_whole_simulated_day(tmp_path: Path) -> None:
    """As `python -m tests.web.live_day`: the demo's day, a hundred random moments at least."""
    assert day(tmp_path, None) == 0


def test_a_server_that_is_gone_greys_it_and_nothing_is_lost(served: Desk, tab: Page) -> None:
    served.journal.go_to(20)
    until(tab, "document.querySelector('[data-head]').textContent === '20'")
    tab.evaluate("document.getElementById('main').dataset.silent = '1', 0")
    assert served.server.stop() == 0
    until(tab, "document.body.classList.contains('silent') && !document.getElementById('silence').hidden")
    assert "what you see is old" in tab.evaluate("document.getElementById('silence').textContent")
    served.journal.go_to(served.journal.last)
    port = urlsplit(served.server.url).port
    again = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", "web", "serve", "--port", str(port)],
        cwd=served.folder / "project", env=environment(served.folder), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(tab, f"window.live.last === {served.journal.last}")
        until(tab, f"document.querySelector('[data-head]').textContent === '{served.journal.last}'")
        until(tab, "(document.getElementById('main').dataset.silent = '600', !document.body.matches('.silent'))")
        seen = shown(tab)
        assert differences(seen, served.oracle.figures(seen.head)) == []
        assert (seen.live["rows"], seen.live["gaps"]) == (served.journal.last, 0)
    finally:
        again.terminate()
        assert again.wait(60) == 0


def test_what_a_person_opened_stays_open(served: Desk, tab: Page) -> None:
    served.journal.go_to(30)
    until(tab, "document.querySelector('[data-head]').textContent === '30'")
    tab.evaluate("""document.querySelector('[data-key="limits"]').open = true,
      document.querySelector('[data-part="signals-0"] a').focus(), 0""")
    before = tab.evaluate("window.live.parts")
    served.journal.go_to(served.journal.last)
    until(tab, f"document.querySelector('[data-head]').textContent === '{served.journal.last}'")
    assert tab.evaluate("window.live.parts") > before
    assert tab.evaluate("""document.querySelector('[data-key="limits"]').open""") is True
    assert tab.evaluate("document.activeElement.closest('[data-part]').dataset.part") == "signals-0"


def test_a_link_works_once_and_its_cookie_is_strict(served: Desk, chromium: Browser) -> None:
    link = served.link()
    with chromium.page() as page:
        page.call("Network.clearBrowserCookies")
        logged_in(page, link)
        port = urlsplit(served.server.url).port
        (cookie,) = page.call("Network.getCookies")["cookies"]
        kept = {name: cookie[name] for name in ("name", "httpOnly", "sameSite", "session", "path")}
        assert kept == {
            "name": f"rebalancer-{port}", "httpOnly": True, "sameSite": "Strict", "session": True, "path": "/",
        }  # fmt: skip
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("location.hash") == ""
        submit(page, "nav form")
        assert page.evaluate("location.pathname") == "/login"
        assert page.call("Network.getCookies")["cookies"] == []
        opened(page, "about:blank")
        opened(page, link)
        until(page, "document.querySelector('.hint.bad')?.textContent.includes('unknown, used or too old')")
        opened(page, f"{served.server.url}/")
        assert page.evaluate("document.querySelector('h1').textContent") == "Log in"


def test_it_sets_the_kill_switch_and_plans_and_does_nothing_else(served: Desk, tab: Page) -> None:
    served.journal.go_to(served.journal.last)
    until(tab, f"document.querySelector('[data-head]').textContent === '{served.journal.last}'")
    forms = tab.evaluate("[...document.forms].map(f => `${f.method} ${new URL(f.action).pathname}`)")
    assert forms == ["post /logout", "post /actions/plan", "post /actions/kill"]
    before = (served.server.state / "journal.sqlite").read_bytes()
    submit(tab, "form[action='/actions/plan']")
    assert tab.evaluate("document.querySelector('.mode').textContent") == "DRY RUN"
    assert "would be sent" in tab.evaluate(
        "document.querySelector('.lead').textContent"
    ) or "No orders" in tab.evaluate("document.querySelector('.lead').textContent")
    assert (served.server.state / "journal.sqlite").read_bytes() == before
    assert not (served.server.state / "HALT").exists()
    opened(tab, f"{served.server.url}/")
    tab.evaluate("document.querySelector('.actions details').open = true, 0")
    submit(tab, "form[action='/actions/kill']", reason="the market is strange")
    halted = (served.server.state / "HALT").read_text()
    assert re.fullmatch(r"the market is strange \(over HTTP, browser [0-9a-f]{6}\)\n", halted)
    until(tab, "document.querySelector('.account')?.dataset.state === 'halted'")
    assert "The market is strange" in tab.evaluate("document.querySelector('.needs .act').textContent")
    assert tab.evaluate("document.title").startswith("✘ ")


def test_without_script_it_shows_the_state_at_load_time(served: Desk, tab: Page) -> None:
    served.journal.go_to(40)
    code = served.link().partition("#")[2]
    tab.call("Network.clearBrowserCookies")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    opened(tab, f"{served.server.url}/login")
    with RunLock(served.server.state / "run.lock", "a cycle"):
        submit(tab, "form.login", code=code)
    seen = shown(tab)
    assert differences(seen, served.oracle.figures(40)) == []
    assert "Without script this page shows the state" in tab.evaluate("document.querySelector('noscript').textContent")
    ages = tab.evaluate("[...document.querySelectorAll('time[data-age]')].map(t => t.textContent)")
    assert ages
    assert [age for age in ages if not re.fullmatch(r"\d+ (?:s|min|h|d) ago", age)] == []


def test_accessible_and_nothing_is_wider_than_its_place(served: Desk, tab: Page, axe: str) -> None:
    """At rest, halted, and greyed; in both colour schemes, on a phone too; the pages a click away."""
    served.journal.go_to(served.journal.last)
    until(tab, f"document.querySelector('[data-head]').textContent === '{served.journal.last}'")
    tab.call("Page.setBypassCSP", enabled=True)  # for the checker only
    found: list[str] = []
    url = served.server.url
    (served.server.state / "HALT").write_text("look\n")
    for path in ("/", "/history", "/explain/AAPL", "/login"):
        if path == "/login":  # who is logged in already is sent on from there
            tab.call("Network.clearBrowserCookies")
        opened(tab, f"{url}{path}")
        if path == "/":
            until(tab, "window.live?.parts > 0 && document.querySelector('.account').dataset.state === 'halted'")
            tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true), 0")
        tab.evaluate(axe + ";0")
        for mode in MODES[:4]:
            for is_silent in (False, True) if path == "/" else (False,):
                tab.evaluate(f"document.getElementById('main').dataset.silent = '{0 if is_silent else 600}', 0")
                if path == "/":
                    until(tab, f"document.body.classList.contains('silent') === {str(is_silent).lower()}")
                tab.look(mode)
                report = tab.evaluate(RUN_AXE)
                found += [f"{path} {mode.name} {is_silent}: {text}" for text in report["violations"]]
                assert report["passes"] >= 10
        for width in (1100, 768, 375, 320):
            tab.look(Mode("", width, "light"))
            found += [f"{path} {width}: {text}" for text in tab.evaluate(WIDER_THAN_ITS_PLACE)]
    assert found == []


def test_a_cookie_writes_only_from_a_page_of_this_server(served: Desk) -> None:
    code = served.link().partition("#")[2]
    url, session = served.server.url, requests.Session()
    session.trust_env = False
    assert session.post(f"{url}/login", data={"code": code}, headers={"Origin": url}, timeout=60).ok
    refused = [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": url},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ]
    for path in ("/actions/kill", "/actions/plan", "/logout", "/api/v1/kill"):
        for headers in refused:
            answer = session.post(f"{url}{path}", data={"reason": "x"}, headers=headers, timeout=60)
            assert answer.status_code == 403, (path, headers)
    assert not (served.server.state / "HALT").exists()
    own = {"Origin": url}
    for path in ("/api/v1/signals", "/api/v1/trading/execute"):
        answer = session.post(f"{url}{path}", json={}, headers=own, timeout=60)
        assert answer.status_code == 403, path  # it has no scope for them
    assert session.get(f"{url}/live/parts", timeout=60).status_code == 200
    assert session.post(f"{url}/logout", headers=own, allow_redirects=False, timeout=60).status_code == 303
    assert session.get(f"{url}/live/parts", timeout=60).status_code == 401


def test_the_page_of_a_stranger_tells_nothing(served: Desk) -> None:
    served.journal.go_to(served.journal.last)
    for path in ("/", "/login"):
        answer = served.server.ask("GET", path, token=None)
        assert answer.status_code == 200
        assert "<h1>Log in</h1>" in answer.text
        assert not re.search(r"\d{2,}\.\d\d|B46", answer.text)
    for path in ("/live/parts", "/api/v1/live", "/history", "/explain/AAPL", "/reports/index.html"):
        assert served.server.ask("GET", path, token=None).status_code == 401, path
    for name in ("live.js", "login.js", "live.css"):
        assert served.server.ask("GET", f"/static/{name}", token=None).status_code == 200
    assert served.server.ask("GET", "/static/../etc", token=None).status_code in (401, 404)
    wrong = {"code": "x" * 32}
    answer = requests.post(f"{served.server.url}/login", data=wrong, headers={"Origin": served.server.url}, timeout=60)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_accounts_of_the_desk_stand_below_each_other(traded: Path, tmp_path: Path) -> None:
    source = traded / "state" / "rebalancer" / "simulated" / "journal.sqlite"
    state = project_in(tmp_path)
    config = tmp_path / "project" / "config"
    (config / "desk.yaml").write_text("accounts: [first, second]\n")
    folders = {}
    for name in ("first", "second"):
        (config / "profiles" / f"{name}.yaml").write_text("signals: {sample: never}\n")
        folders[name] = state.parent / "profiles" / name / "simulated"
        folders[name].mkdir(parents=True, mode=0o700)
    journal = ReplayedJournal(source, folders["second"] / "journal.sqlite")
    journal.go_to(journal.last)
    running = start(tmp_path, state)
    try:
        accounts = running.ask("GET", "/api/v1/live").json()["accounts"]
        assert [(a["name"], a["state"], a["head"]["seq"]) for a in accounts] == [
            ("first", "nothing_yet", 0), ("second", "unattended", journal.last),
        ]  # fmt: skip
        code = command(tmp_path, "web", "login").stdout.strip().partition("#")[2]
        session, own = requests.Session(), {"Origin": running.url}
        session.trust_env = False
        assert session.post(f"{running.url}/login", data={"code": code}, headers=own, timeout=60).ok
        page = session.get(f"{running.url}/", timeout=60).text
        assert re.findall(r"<h1>(\w+) ", page) == ["first", "second"]
        assert session.get(f"{running.url}/explain/AAPL?account=1", timeout=60).status_code == 200
        assert session.get(f"{running.url}/explain/AAPL?account=0", timeout=60).status_code == 404
        assert session.get(f"{running.url}/history?account=2", timeout=60).status_code == 404
        for number, status in (("2", 404), ("-1", 404), ("x", 404), ("1", 200)):
            form = {"account": number, "reason": "look"}
            answer = session.post(f"{running.url}/actions/kill", data=form, headers=own, timeout=60)
            assert answer.status_code == status, number
        halted = {name: (folder / "HALT").exists() for name, folder in folders.items()}
        assert halted == {"first": False, "second": True}
        assert not (state / "HALT").exists()
    finally:
        assert running.stop() == 0


def test_the_document_is_what_the_page_shows(served: Desk) -> None:
    served.journal.go_to(served.journal.last)
    waited(lambda: served.server.ask("GET", "/api/v1/live").json()["accounts"][0]["head"]["seq"], "the head")
    document = served.server.ask("GET", "/api/v1/live", token="read").json()
    (account,) = document["accounts"]
    wanted = served.oracle.figures(served.journal.last)
    texts = {f["figure"]["id"]: f["figure"]["text"] for f in account["figures"]}
    assert {name: text for name, text in texts.items() if text != "–"} == {n: wanted[n] for n in texts if n in wanted}
    assert datetime.fromisoformat(document["made_at"]).tzinfo == UTC
    assert served.server.ask("GET", "/api/v1/live", token="signals").status_code == 403
