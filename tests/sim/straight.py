"""A straight line from alpaca-py's client to the exchange's application: no socket, no thread, no real time.

Everything above it is the product's own (`Client`, pacing, reading of answers, alpaca-py's REST client), and everything
below it is the exchange's own application. Only the socket in between is missing. Perhaps one day a backtest's broker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

from requests.structures import CaseInsensitiveDict
from starlette import routing
from starlette.types import ASGIApp, Message

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.alpaca.transport import AlpacaClient
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.core.rules import Broker as BrokerRules
from rebalancer.ops.deadline_session import Call, _ExactResponse

URL = "http://127.0.0.1:9"  # never connected to
CREDENTIALS = Credentials("PKSIM", "sim-secret")
KEYS = [
    (b"host", b"127.0.0.1:9"), (b"apca-api-key-id", b"PKSIM"), (b"apca-api-secret-key", b"sim-secret"),
    (b"content-type", b"application/json"),
]  # fmt: skip


class Asked(NamedTuple):
    """One request as it would stand on the wire."""

    method: str
    path: str
    query: str
    body: bytes


class Told(NamedTuple):
    """One answer as it would stand on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Carry = Callable[[Asked, Call], Told]


def told(app: ASGIApp, asked: Asked) -> Told:
    """Let the application answer. Raises RuntimeError when it wants to wait for something: nothing here ever comes."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": asked.method, "scheme": "http",
        "path": asked.path, "raw_path": asked.path.encode(), "query_string": asked.query.encode(), "root_path": "",
        "headers": KEYS, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 9), "state": {},
    }  # fmt: skip
    head: Message = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
        else:
            parts.append(message.get("body", b""))

    running = app(scope, receive, send).__await__()
    try:
        next(running)
    except StopIteration:
        headers = {name.decode(): value.decode() for name, value in head["headers"]}
        return Told(head["status"], headers, b"".join(parts))
    raise RuntimeError(f"{asked.method} {asked.path} waits for something")


async def _here(act: Callable[..., Any], *args: Any, **named: Any) -> Any:
    return act(*args, **named)


@contextmanager
def without_threads() -> Iterator[None]:
    """Within it the application made here does on the spot what others hand to threads."""
    with patch.object(routing, "run_in_threadpool", _here):  # read when a route is made
        yield


class StraightSession:
    """Stands where alpaca-py's `requests.Session` stands. For one thread at a time."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._call: Call | None = None

    def within(self, call: Call, ask: Callable[[], Any]) -> Any:
        self._call = call
        return ask()

    def request(self, method: str, url: str, **options: Any) -> _ExactResponse:
        call = self._call
        assert call is not None
        call.left()
        parts = urlsplit(url)
        params, body = options.get("params"), options.get("json")
        asked = Asked(
            method, parts.path, urlencode(params) if params else "", json.dumps(body).encode() if body else b""
        )
        answer = self._carry(asked, call)
        response = _ExactResponse()
        response.status_code, response.url, response.encoding = answer.status, url, "utf-8"
        response.headers = CaseInsensitiveDict(answer.headers)
        response._content = answer.body
        call.status, call.headers = answer.status, response.headers
        return response

    def close(self) -> None: ...


def straight_broker(
    carry: Carry, rules: BrokerRules, monotonic: Callable[[], float], wait: Callable[[float], object]
) -> AlpacaBroker:
    """The product's broker on such a line."""
    broker = AlpacaBroker(CREDENTIALS, Endpoints(URL), rules, monotonic=monotonic, wait=wait)
    client = AlpacaClient(CREDENTIALS, Endpoints(URL).trading_url, monotonic)
    session: Any = StraightSession(carry)
    client.session = client._session = session
    asking: Any = broker._asking
    asking._client = lambda: client
    return broker
