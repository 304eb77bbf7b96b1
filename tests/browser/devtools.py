"""A small client of Chromium's DevTools protocol: start the browser, open a page, look at it as a person would.

One websocket to the browser, one to each page. A call waits for its answer; whatever else arrives meanwhile is kept as
an event. Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS, ANSWER_SECONDS = 600, 600
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",  # the pages are ours, and containers rarely allow a sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-color-profile=srgb",
)


class BrowserFailed(Exception):
    """The browser did not start, or refused what it was asked."""


class Mode(NamedTuple):
    """How a page is looked at: width of the window in pixels, colour scheme, medium."""

    name: str
    width: int
    scheme: str
    medium: str = "screen"


MODES = (
    Mode("light-1100", 1100, "light"),
    Mode("dark-1100", 1100, "dark"),
    Mode("light-375", 375, "light"),
    Mode("dark-375", 375, "dark"),
    Mode("print", 1100, "light", "print"),
)


def browser_path() -> str | None:
    """Where Chromium is, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Connection:
    """One websocket of the protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self.events: list[dict[str, Any]] = []
        self._count = 0
        self._socket = socket

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            message = self._next()
            if message.get("id") != self._count:
                self.events.append(message)
            elif "error" in message:
                raise BrowserFailed(f"{method}: {message['error']}")
            else:
                result: dict[str, Any] = message["result"]
                return result

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next event of that name; those before it stay in `events`."""
        while True:
            found = next((e for e in self.events if e.get("method") == event), None)
            if found is not None:
                return found
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
        return message


class Page(Connection):
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.call("Page.enable")
        self.call("Network.enable")

    def show(self, path: Path, mode: Mode) -> None:
        """Load a file and wait until it is loaded; the log of requests begins anew."""
        self.look(mode)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def look(self, mode: Mode) -> None:
        """Look at what is open in another way."""
        features = [{"name": "prefers-color-scheme", "value": mode.scheme}]
        self.call("Emulation.setEmulatedMedia", media=mode.medium, features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=mode.width,
            height=900,
            deviceScaleFactor=1,
            mobile=mode.width < 600,
        )

    def requests(self) -> list[str]:
        """What was asked of any server, file or cache since `show`, in order."""
        self.call("Page.getLayoutMetrics")  # an answer comes after all events that were due before it
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited when it is a promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserFailed(json.dumps(result["exceptionDetails"])[:2000])
        return result["result"].get("value")

    def pdf(self) -> bytes:
        """The page as it would be printed, with the paper that its own style asks for."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def picture(self, top: int, height: int, width: int) -> bytes:
        """A PNG of a stretch of the whole page, from `top` downwards."""
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, address: str, control: Connection) -> None:
        self._address, self._control = address, control

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A new tab, closed at the end."""
        target = self._control.call("Target.createTarget", url="about:blank")["targetId"]
        try:
            with _socket(f"ws://{self._address}/devtools/page/{target}") as socket:
                yield Page(socket)
        finally:
            self._control.call("Target.closeTarget", targetId=target)


@contextmanager
def start_browser(path: str, more: Sequence[str] = ()) -> Iterator[Browser]:
    """Start Chromium and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as place:
        profile, said = Path(place), Path(place) / "said.txt"
        with said.open("wb") as sink:
            process = subprocess.Popen(
                [path, *FLAGS, *more, f"--user-data-dir={profile}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            )  # fmt: skip
        try:
            port, way = _door(process, profile, said)
            with _socket(f"ws://127.0.0.1:{port}{way}") as socket:
                yield Browser(f"127.0.0.1:{port}", Connection(socket))
        finally:
            process.terminate()
            try:
                process.wait(timeout=300)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _socket(url: str) -> ClientConnection:
    """To be entered with `with`. Pages and pictures are large; the loopback needs no proxy."""
    return connect(url, max_size=None, proxy=None, ping_interval=None)


def _door(process: subprocess.Popen[bytes], profile: Path, said: Path) -> tuple[str, str]:
    """Port and path of the browser's websocket: it writes both into its profile when it is ready."""
    file = profile / "DevToolsActivePort"
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        lines = file.read_text().split("\n") if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        time.sleep(0.05)
    raise BrowserFailed(f"Chromium did not start:\n{said.read_text(errors='replace')[-3000:]}")
