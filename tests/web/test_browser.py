"""A page of another site in a real browser: it can neither write nor read, with the token in its hands, also when its
name is made to point to this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.alerts.servers import WebServer
from tests.browser.devtools import Page, browser_path, start_browser
from tests.web.conftest import Server

EVIL = "evil.example"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    path = browser_path()
    if path is None:
        pytest.skip("chromium is missing (Debian: apt install chromium)")
    with start_browser(path, [f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"]) as browser, browser.page() as page:
        yield page


def go(tab: Page, url: str) -> None:
    tab.events.clear()
    tab.call("Page.navigate", url=url)
    tab.wait_for("Page.loadEventFired")


def fetched(tab: Page, url: str, **options: object) -> str:
    """What a page learns from a request: its status, or that the browser kept the answer from it."""
    script = (
        f"fetch({json.dumps(url)}, {json.dumps(options)}).then(a => a.type + ' ' + a.status, e => 'kept: ' + e.name)"
    )
    return str(tab.evaluate(script))


def test_a_page_of_another_site_reaches_nothing(server: Server, tab: Page) -> None:
    site = WebServer()
    bearer = {"Authorization": f"Bearer {server.tokens['all']}"}
    with site.running():
        go(tab, f"http://{EVIL}:{site.port}/")
        found = {
            "read": fetched(tab, f"{server.url}/api/v1/trading/status", headers=bearer),
            "health": fetched(tab, f"{server.url}/health"),
            "write": fetched(tab, f"{server.url}/api/v1/kill", method="POST", headers=bearer, body="{}"),
            "form": fetched(
                tab, f"{server.url}/api/v1/kill", method="POST", mode="no-cors", body='{"reason":"x"}',
                headers={"Content-Type": "text/plain"},
            ),
            "hook": fetched(
                tab, f"{server.hooks}/hooks/hook/{server.tokens['hook']}", method="POST", mode="no-cors",
 body="buy AAPL",
            ),
        }  # fmt: skip
    kept = "kept: TypeError"
    assert found["read"] == found["health"] == found["write"] == kept
    assert found["form"] in (kept, "opaque 0")
    assert found["hook"] in (kept, "opaque 0")
    assert not (server.state / "HALT").exists()
    assert (
        not (server.state / "inbox.sqlite").exists()
        or server.ask("GET", "/api/signals/stats").json()["by_source"].get("hook") is None
    )


def test_a_name_that_is_rebound_to_this_machine_is_not_answered(server: Server, tab: Page) -> None:
    port = urlsplit(server.url).port
    go(tab, f"http://{EVIL}:{port}/health")
    bearer = {"Authorization": f"Bearer {server.tokens['all']}", "Content-Type": "application/json"}
    refused = ("basic 421", "kept: TypeError")  # the server refuses it, or the browser does not let it out
    assert fetched(tab, "/api/v1/trading/status", headers=bearer) in refused
    assert fetched(tab, "/api/v1/kill", method="POST", headers=bearer, body='{"reason":"x"}') in refused
    assert not (server.state / "HALT").exists()
