"""A whole simulated day beside an open live page: `python -m tests.web.live_day [FOLDER]`.

The demo trades a day; a real browser has the page open all the time, and is read at random moments. Afterwards every
figure that it showed is compared with the raw rows of the journal (`live_oracle.py`). Prints moments, figures,
differences, rows received, memory of the tab; with a folder, writes pictures of what it saw. Exit code 1 for any
difference.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rebalancer.core.rules import Rules
from rebalancer.ops.clock import SystemClock
from rebalancer.web.logins import LOGINS_NAME, add_code
from rebalancer.web.place import WebPlace
from rebalancer.web.server import ListenAddress, serve
from tests.browser.devtools import MODES, Mode, Page, browser_path, start_browser
from tests.web.live_browser import Shown, differences, logged_in, outside, shown, until, violations, waited
from tests.web.live_oracle import Oracle

ROOT = Path(__file__).parents[2]
MEAN_SECONDS = 0.12  # between two moments
MOMENTS_LEAST = 100


class Memory(NamedTuple):
    """What a tab uses after a collection of garbage."""

    bytes: int
    nodes: int
    listeners: int


def serve_state(state: str) -> None:
    """Serve one state folder; its address is the only line on stdout."""
    folder = Path(state)
    place = WebPlace(folder, folder.parent / "reports", folder.parent, "simulated", Rules())
    serve(place, ListenAddress("127.0.0.1", 0), None, lambda url, _: print(url, flush=True))


def memory(tab: Page) -> Memory:
    tab.call("HeapProfiler.collectGarbage")
    found = {row["name"]: int(row["value"]) for row in tab.call("Performance.getMetrics")["metrics"]}
    return Memory(found["JSHeapUsedSize"], found["Nodes"], found["JSEventListeners"])


def pictures(tab: Page, folder: Path | None, name: str, done: set[str]) -> None:
    """Pictures of a state that was not seen before."""
    if folder is None or name in done:
        return
    done.add(name)
    folder.mkdir(parents=True, exist_ok=True)
    for mode in MODES[:4]:
        tab.look(mode)
        height = tab.evaluate("Math.ceil(document.documentElement.getBoundingClientRect().height)")
        (folder / f"{name}-{mode.name}.png").write_bytes(tab.picture(0, min(height, 12_000), mode.width))
    tab.look(Mode("", 1100, "light"))


def day(folder: Path, shots: Path | None) -> int:
    """Play the day; the number of differences."""
    environ = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    for name in ("config", "signals"):
        (folder / name).symlink_to(ROOT / name)
    state = folder / "state" / "rebalancer" / "demo" / "state"
    program = browser_path()
    if program is None:
        raise SystemExit("error: chromium was not found\n  hint: Debian: apt install chromium")
    words = [sys.executable, "-m", "rebalancer", "demo"]
    demo = subprocess.Popen(words, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    waited(state.is_dir, "the demo's state folder", 300)
    code = f"from tests.web.live_day import serve_state; serve_state({str(state)!r})"
    server = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        with start_browser(program, ("--hide-scrollbars",)) as browser, browser.page() as tab:
            tab.look(Mode("", 1100, "light"))
            tab.call("Performance.enable")
            link = f"{url}/login#{add_code(state / LOGINS_NAME, SystemClock().wall())}"
            logged_in(tab, link)
            before = memory(tab)
            seen = watch(tab, demo, shots)
            oracle = Oracle(state / "journal.sqlite")
            until(tab, f"document.querySelector('[data-head]').textContent === '{oracle.head}'")
            seen.append(shown(tab))
            pictures(tab, shots, "after-the-day", set())
            after = memory(tab)
            foreign, stopped = outside(tab, url), violations(tab)
            stop(server)
            until(tab, "document.body.classList.contains('silent')")
            pictures(tab, shots, "disconnected", set())
    finally:
        stop(server)
        demo.wait()
    return report(seen, oracle, before, after, foreign, stopped)


def watch(tab: Page, demo: subprocess.Popen[bytes], shots: Path | None) -> list[Shown]:
    """Read the page at random moments until the demo has ended, and at least `MOMENTS_LEAST` times."""
    draw, seen, done = random.Random(), list[Shown](), set[str]()
    while demo.poll() is None or len(seen) < MOMENTS_LEAST:
        time.sleep(draw.expovariate(1 / MEAN_SECONDS))
        found = shown(tab)
        if found.head:
            seen.append(found)
            pictures(tab, shots, found.state, done)
    return seen


def report(
    seen: list[Shown], oracle: Oracle, before: Memory, after: Memory, foreign: list[str], stopped: list[str]
) -> int:
    found: list[str] = []
    figures = 0
    for one in seen:
        wanted = oracle.figures(one.head)
        figures += len(wanted)
        found += differences(one, wanted)
    live = seen[-1].live
    states = ", ".join(f"{count} {state}" for state, count in Counter(one.state for one in seen).most_common())
    print(f"{len(seen)} moments at {len({one.head for one in seen})} rows of {oracle.head} ({states})")
    print(f"{figures} figures compared, {len(found)} differences")
    print(f"{live['rows']} rows received, {live['gaps']} gaps, {live['parts']} parts replaced")
    print(f"memory of the tab: {before.bytes / 1e6:.1f} MB, after the day {after.bytes / 1e6:.1f} MB; "
          f"nodes {before.nodes} and {after.nodes}, listeners {before.listeners} and {after.listeners}")  # fmt: skip
    print(f"{len(foreign)} outside requests, {len(stopped)} violations of the content security policy")
    for line in found[:20]:
        print(line)
    return len(found) + len(foreign) + len(stopped) + live["gaps"]


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def main() -> None:
    shots = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as place:
        raise SystemExit(bool(day(Path(place), shots)))


if __name__ == "__main__":
    main()
