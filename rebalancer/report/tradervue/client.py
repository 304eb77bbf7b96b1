"""The Tradervue client: one request at a time, a bounded rate, a deadline, and errors that say what is known.

TradervueError
+-- TradervueRefused        it refused: wrong password, bad request; retrying changes nothing
+-- TradervueUnavailable    no answer, 429 or 5xx: retrying later may help; `may_have_arrived` after a POST
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from rebalancer.core.errors import ExternalError
from rebalancer.ops.clock import Clock
from rebalancer.version import __version__

PATH: Final = "/api/v1/imports"
RETRY_AFTER_MOST: Final = 300.0  # seconds: if it asks for more, the request waits for the next run
PAUSE_SECONDS: Final = 3.0  # between two requests: the API states no limit, so stay far below any
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5.0, 20.0, 30.0
SIZE_MAX: Final = 1_000_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_BUSY: Final = 424


class TradervueError(ExternalError):
    """The journal could not be copied to Tradervue."""


class TradervueRefused(TradervueError):
    """Tradervue refused the request."""


class TradervueUnavailable(TradervueError):
    """Tradervue did not answer as expected; `may_have_arrived` when the request may have taken effect; `wait_seconds`
    is how long it asks not to be contacted."""

    def __init__(self, message: str, *, may_have_arrived: bool = False, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.may_have_arrived, self.wait_seconds = may_have_arrived, wait_seconds


class Login(NamedTuple):
    """Name and password; never shown."""

    username: str
    password: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Login:
        """TRADERVUE_USERNAME and TRADERVUE_PASSWORD. Raises TradervueRefused naming what is missing."""
        missing = [n for n in ("TRADERVUE_USERNAME", "TRADERVUE_PASSWORD") if not environ.get(n)]
        if missing:
            raise TradervueRefused(
                f"{' and '.join(missing)} not set\n  hint: set both in the environment, never in a configuration file"
            )
        return cls(environ["TRADERVUE_USERNAME"], environ["TRADERVUE_PASSWORD"])

    def __repr__(self) -> str:
        return "Login(••••)"


class Import(NamedTuple):
    """The state of the last import. `info` is Tradervue's own, with counts and the error if there was one."""

    status: str
    info: Mapping[str, Any]

    @property
    def is_running(self) -> bool:
        return self.status in ("queued", "processing")


class Tradervue:
    """The import API of one user."""

    def __init__(self, url: str, login: Login, clock: Clock, deadline: float = math.inf) -> None:
        """deadline: of every request, by the clock. Raises TradervueRefused for an address to which no password may be
        sent."""
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not secure or parts.username or parts.query or parts.fragment or not parts.hostname:
            raise TradervueRefused(
                "export.tradervue_url must be a plain https address, such as https://www.tradervue.com"
            )
        self._url = url.rstrip("/") + PATH
        self._login, self._clock, self._deadline = login, clock, deadline
        self._next_at = clock.monotonic()

    def status(self) -> Import:
        """The state of the last import. The result of an import that has ended is given once: the next answer is
        "ready"."""
        body = self._ask("GET", None)
        status, info = body.get("status"), body.get("info")
        if not isinstance(status, str) or not (info is None or isinstance(info, dict)):
            raise TradervueUnavailable("Tradervue's answer has no status")
        return Import(status, info or {})

    def create(self, executions: Sequence[Mapping[str, str]], tags: Sequence[str]) -> bool:
        """Start an import. False when another one is still running, and then nothing was started."""
        body = {
            "allow_duplicates": "false",
            "overlay_commissions": "false",
            "tags": list(tags),
            "executions": list(executions),
        }
        found = self._ask("POST", body)
        return found.get("busy") is not True

    def _ask(self, method: str, body: Mapping[str, object] | None) -> Mapping[str, Any]:
        """One request. Raises TradervueRefused or TradervueUnavailable."""
        import requests
        import urllib3

        from rebalancer.ops.deadline_session import Call, DeadlineSession

        self._clock.wait(max(self._next_at - self._clock.monotonic(), 0.0))
        self._next_at = self._clock.monotonic() + PAUSE_SECONDS
        latest = min(self._clock.monotonic() + TOTAL_SECONDS, self._deadline)
        call = Call(latest, CONNECT_SECONDS, READ_SECONDS, self._clock.monotonic)
        session = DeadlineSession(self._clock.monotonic)
        session.headers.update({"User-Agent": user_agent(self._login.username), "Accept": "application/json"})
        send: Callable[[], requests.Response] = lambda: session.request(  # noqa: E731 - `within` takes a call
            method, self._url, json=body, auth=(self._login.username, self._login.password)
        )
        try:
            answer = session.within(call, send)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            said = f"Tradervue did not answer ({type(error).__name__})"
            raise TradervueUnavailable(said, may_have_arrived=call.sent and method == "POST") from None
        finally:
            session.close()
        pause = _seconds(answer.headers.get("Retry-After", ""))
        return _understood(answer.status_code, answer.content, pause, posted=method == "POST")


def user_agent(contact: str) -> str:
    """The user agent as the API wants it: the program, and whom to contact. contact: the user's own name there."""
    safe = "".join(c for c in contact if c.isascii() and c.isprintable() and c not in "()")
    return f"rebalancer/{__version__} (contact: {safe})"


def _seconds(text: str) -> float:
    """A Retry-After in seconds; 0 for none and for a date, in which case our own pauses apply."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _understood(status: int, content: bytes, pause: float, *, posted: bool) -> Mapping[str, Any]:
    """The answer's object. A 200 that cannot be read counts as no answer."""
    body: Any = None
    if len(content) <= SIZE_MAX:
        try:
            body = json.loads(content)
        except ValueError:
            body = None
    if posted and status == _BUSY:
        return {"busy": True}
    if status == 429 or status >= 500:
        arrived = posted and status != 429
        raise TradervueUnavailable(f"Tradervue answered {status}", may_have_arrived=arrived, wait_seconds=pause)
    if status in (401, 403):
        raise TradervueRefused(
            f"Tradervue refused the login ({status})\n  hint: check TRADERVUE_USERNAME and TRADERVUE_PASSWORD"
        )
    if status != 200:
        words = body.get("error") or body.get("status") if isinstance(body, dict) else None
        raise TradervueRefused(f"Tradervue refused the request ({status}): {str(words or 'no reason given')[:300]}")
    if not isinstance(body, dict):
        raise TradervueUnavailable("Tradervue's answer cannot be read", may_have_arrived=posted)
    return body
