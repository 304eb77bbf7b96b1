"""Sends requests exactly as given, and holds that refusals are proper ones."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final

from rebalancer.exchange.starter import RunningExchange
from tests.conformance.recorder import KEYS
from tests.conformance.state import state_hash


def send(
    running: RunningExchange,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    url: str | None = None,
    read: bool = True,
) -> tuple[int, bytes]:
    """Send a request whose target goes out exactly as given. Returns status and body."""
    host, port = (url or running.url).removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=300)
    connection._validate_path = lambda url: None  # type: ignore[attr-defined] # control characters are the point
    connection._encode_request = lambda line: line.encode("latin-1")  # type: ignore[attr-defined] # and raw bytes
    try:
        connection.request(method, target, body, {**KEYS, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read() if read else b""
    finally:
        connection.close()


_last: Final[dict[str, str]] = {}  # the hash after the last refusal


def judged(running: RunningExchange, *request: Any, **more: Any) -> int:
    """Send, and hold that a refusal is a proper one and has changed nothing. Returns the status."""
    before = _last.pop(running.url, None) or state_hash(running.exchange)
    status, body = send(running, *request, **more)
    assert 200 <= status < 500, (request, status, body)
    if status >= 400:
        _last[running.url] = state_hash(running.exchange)
        assert _last[running.url] == before, request
        if status != 400 or not body.startswith(b"Invalid HTTP request"):  # said by the server below the exchange
            assert isinstance(json.loads(body)["message"], str), (request, body)
    return status
