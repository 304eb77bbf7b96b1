"""The live page in a real browser: log in, read what it shows at one moment, and everything it asked for."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.browser.devtools import Page

MODE_NOTE = """addEventListener("securitypolicyviolation",
  e => (window.violations ??= []).push(`${e.violatedDirective} ${e.blockedURI}`))"""
SHOWN = """(() => {
  const figures = [...document.querySelectorAll("[data-figure]")].map(e => [e.dataset.figure, e.textContent]);
  const head = document.querySelector("[data-head]"), hash = document.querySelector("[data-hash]");
  return {head: Number(head.textContent), hash: hash.dataset.hash, figures,
    state: document.querySelector(".account").dataset.state, silent: document.body.classList.contains("silent"),
    live: window.live ?? null};
})()"""


class Shown(NamedTuple):
    """What the page shows at one moment."""

    head: int
    hash: str
    figures: dict[str, set[str]]
    state: str
    silent: bool
    live: dict[str, int]


def opened(tab: Page, url: str) -> None:
    """Open an address and wait until it is loaded, with what it redirects to."""
    tab.events.clear()
    tab.call("Page.navigate", url=url)
    tab.wait_for("Page.loadEventFired")


def until(tab: Page, condition: str, seconds: float = 120) -> Any:
    """Wait for a condition of the page; what it became. A page that is just being loaded meets none."""
    whole = f"(() => {{ try {{ return {condition} }} catch {{ return false }} }})()"
    return waited(lambda: tab.evaluate(whole), condition, seconds)


def waited(ask: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def logged_in(tab: Page, link: str) -> None:
    """Open a one-time link; afterwards the live page is open."""
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=MODE_NOTE)
    opened(tab, link)
    until(tab, "location.pathname === '/' && document.readyState === 'complete' && window.live?.parts > 0")


def shown(tab: Page) -> Shown:
    """Read the page at one moment."""
    found = tab.evaluate(SHOWN)
    figures: dict[str, set[str]] = {}
    for name, text in found["figures"]:
        figures.setdefault(name, set()).add(bare(text))
    return Shown(found["head"], found["hash"], figures, found["state"], found["silent"], found["live"])


def bare(text: str) -> str:
    """A number without its unit: columns have it in their head."""
    return re.sub(r"\$| (?:%|pp)$", "", text)


def differences(seen: Shown, wanted: dict[str, str]) -> list[str]:
    """Every figure that is not what the rows say, is missing, or is too much. A dash is no figure."""
    found = [
        f"row {seen.head}: {name}: {sorted(texts)}, not {wanted.get(name)}"
        for name, texts in seen.figures.items()
        if texts != {bare(wanted.get(name, "–"))}
    ]
    return found + [f"row {seen.head}: {name} is missing" for name in wanted.keys() - seen.figures.keys()]


def outside(tab: Page, url: str) -> list[str]:
    """What was asked of anybody but the server."""
    host = urlsplit(url).netloc
    tab.call("Page.getLayoutMetrics")  # an answer comes after all events that were due before it
    asked = [e["params"]["request"]["url"] for e in tab.events if e["method"] == "Network.requestWillBeSent"]
    return [found for found in asked if urlsplit(found).netloc != host and not found.startswith("data:")]


def violations(tab: Page) -> list[str]:
    """What the content security policy has stopped."""
    found: list[str] = tab.evaluate("window.violations ?? []")
    return found


def submit(tab: Page, form: str, **fields: str) -> None:
    """Fill in a form as a person would, and send it."""
    script = f"""(() => {{
      const form = document.querySelector({json.dumps(form)});
      const fields = {json.dumps(fields)};
      for (const name in fields) form.elements[name].value = fields[name];
      form.querySelector("button").click();
    }})()"""
    tab.events.clear()
    tab.evaluate(script)
    tab.wait_for("Page.loadEventFired")
