"""HTTP requests with one deadline each, sent once: for the broker, alert channels and exports.

`requests` has no overall deadline. This module changes that from the outside:

1. every call has one deadline, checked before each socket read, so headers or a body that trickle in are cut off too;
2. nothing retries a request: not requests, not urllib3; a redirect is a response like any other;
3. `Call.sent` is set in the one place where bytes are sent, so "never sent" is known and not guessed;
4. JSON numbers become `Decimal`; NaN and infinity are rejected.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3.connection import HTTPConnection, HTTPSConnection

IDLE_SECONDS_MAX: Final = 20.0  # a longer idle connection may be dead; reconnecting costs less than an unknown order


class Withheld(Exception):
    """Nothing was sent: the caller withdrew its permission."""


@dataclass
class Call:
    """One request: its time limits, and what is known about its outcome."""

    deadline: float
    connect_seconds: float
    read_seconds: float
    monotonic: Callable[[], float]
    sent: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    allowed: Callable[[], bool] | None = None

    def ask_leave(self) -> None:
        """Check, just before the first byte, that the request may still be sent. Raises Withheld."""
        if self.allowed is not None and not self.allowed():
            raise Withheld

    def left(self) -> float:
        """Seconds until the deadline. Raises TimeoutError once it has passed."""
        seconds = self.deadline - self.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline of the call has passed")
        return seconds


_current: ContextVar[Call] = ContextVar("_current")


class _DeadlineReader(io.RawIOBase):
    """A socket's input stream that fails at the current call's deadline, however slowly bytes arrive."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw = sock, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        call = _current.get()
        self._sock.settimeout(min(call.read_seconds, call.left()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp.detach()))


class _Marking(http.client.HTTPConnection):
    """A connection that marks a call as sent before any of its bytes leave."""

    response_class = _Answer

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        call = _current.get()
        if not call.sent:
            call.ask_leave()  # after all waiting: for the rate limiter and for the connection
            call.sent = True
        super().send(data)


class _Connection(_Marking, HTTPConnection):
    pass


class _TlsConnection(_Marking, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _ExactResponse(requests.Response):
    def json(self, **_: Any) -> Any:
        return json.loads(self.content, parse_float=exact_number, parse_constant=_refuse_constant)


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """As `requests` builds it, without its cookies, of which nobody here keeps any."""
        response = _ExactResponse()
        response.status_code, response.reason, response.raw = resp.status, resp.reason, resp
        response.headers = CaseInsensitiveDict(resp.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.url, response.request = req.url or "", req
        response.connection = self  # as requests does
        return response


class DeadlineSession(requests.Session):
    """A session whose requests belong to the `Call` given to `within`. Not thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self.trust_env = False  # keep keys away from proxies and .netrc files set in the environment
        self.headers["Cache-Control"] = "no-cache"
        self._monotonic, self._used_at = monotonic, monotonic()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_connections=2, pool_maxsize=1, max_retries=0))

    def within(self, call: Call, ask: Callable[[], Any]) -> Any:
        """Run one alpaca-py call under the limits of `call`, and record its outcome there."""
        if self._monotonic() - self._used_at > IDLE_SECONDS_MAX:
            self.close()
        token = _current.set(call)
        try:
            return ask()
        finally:
            _current.reset(token)
            self._used_at = self._monotonic()

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        call = _current.get()
        left = call.left()
        kwargs["timeout"] = (min(call.connect_seconds, left), min(call.read_seconds, left))
        kwargs["allow_redirects"] = False
        response = super().request(method, url, *args, **kwargs)
        call.status, call.headers = response.status_code, response.headers
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  # the name is requests' own
        return None  # requests would parse the target even when it does not follow it


def exact_number(text: str) -> Decimal:
    """Parse a JSON number with a decimal point or an exponent. Raises ValueError for an exponent out of range."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text:.40} is too large a number") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
