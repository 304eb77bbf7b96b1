"""What must be refused, as a table: the request, the status, and that nothing was changed by it."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from rebalancer.signals.receipts.inbox import SignalInbox
from tests.web.conftest import Server

ROW = {"symbol": "AAPL", "score": 1, "confidence": 1}
JSON = {"Content-Type": "application/json"}
SIGNALS, EXECUTE, KILL, STATUS = "/api/v1/signals", "/api/v1/trading/execute", "/api/v1/kill", "/api/v1/trading/status"

ATTACKS: list[tuple[str, str, str, str | None, dict[str, Any], int]] = [
    ("no token", "GET", STATUS, None, {}, 401),
    ("no token, unknown path", "GET", "/api/v1/anything", None, {}, 401),
    ("no token, write", "POST", SIGNALS, None, {"json": [ROW]}, 401),
    ("unknown token", "GET", STATUS, None, {"headers": {"Authorization": "Bearer rbt_guess"}}, 401),
    ("basic login", "GET", STATUS, None, {"headers": {"Authorization": "Basic YTpi"}}, 401),
    ("hook token as bearer", "GET", STATUS, "hook", {}, 401),
    ("token in the query", "GET", STATUS + "?access_token=x", "all", {}, 400),
    ("wrong scope: read signals", "POST", SIGNALS, "read", {"json": [ROW]}, 403),
    ("wrong scope: signals execute", "POST", EXECUTE, "signals", {"json": ROW}, 403),
    ("wrong scope: execute kill", "POST", KILL, "execute", {"json": {"reason": "x"}}, 403),
    ("wrong scope: kill read", "GET", STATUS, "kill", {}, 403),
    ("wrong scope: execute events", "GET", "/api/v1/events", "execute", {}, 403),
    ("evil Host", "GET", "/health", "all", {"headers": {"Host": "evil.example"}}, 421),
    ("rebinding: right name, wrong port", "POST", SIGNALS, "all",
     {"json": [ROW], "headers": {"Host": "127.0.0.1:1"}}, 421),
    ("rebinding: name of the attacker", "GET", STATUS, "all", {"headers": {"Host": "127.0.0.1.nip.io:80"}}, 421),
    ("cross-site origin", "POST", SIGNALS, "all", {"json": [ROW], "headers": {"Origin": "https://evil.example"}}, 403),
    ("origin null", "POST", SIGNALS, "all", {"json": [ROW], "headers": {"Origin": "null"}}, 403),
    ("cross-site fetch", "POST", KILL, "all",
     {"json": {"reason": "x"}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
    ("same-site fetch", "PUT", "/api/v1/targets", "all",
     {"json": {"targets": []}, "headers": {"Sec-Fetch-Site": "same-site"}}, 403),
    ("a form", "POST", SIGNALS, "all", {"data": {"symbol": "AAPL"}}, 415),
    ("text as JSON", "POST", SIGNALS, "all", {"data": "[]", "headers": {"Content-Type": "text/plain"}}, 415),
    ("compressed", "POST", SIGNALS, "all", {"data": b"x", "headers": {**JSON, "Content-Encoding": "gzip"}}, 415),
    ("huge", "POST", SIGNALS, "all", {"data": b" " * 1_100_000, "headers": JSON}, 413),
    ("too many rows", "POST", SIGNALS, "all", {"json": [{}] * 10_001}, 413),
    ("nested", "POST", SIGNALS, "all", {"data": b"[" * 500_000, "headers": JSON}, 400),
    ("repeated key", "POST", EXECUTE, "all", {"data": b'{"symbol":"AAPL","symbol":"MSFT"}', "headers": JSON}, 400),
    ("NaN", "POST", SIGNALS, "all", {"data": b'[{"symbol":"AAPL","score":NaN}]', "headers": JSON}, 400),
    ("bad UTF-8", "POST", SIGNALS, "all", {"data": b'[{"symbol":"\xff"}]', "headers": JSON}, 400),
    ("half a character", "POST", SIGNALS, "all", {"data": b'[{"symbol":"\\ud800"}]', "headers": JSON}, 400),
    ("a number of many digits", "POST", SIGNALS, "all", {"data": b"[" + b"9" * 5000 + b"]", "headers": JSON}, 400),
    ("not an object", "POST", EXECUTE, "all", {"json": [1]}, 422),
    ("unknown symbol", "POST", EXECUTE, "all", {"json": {"symbol": "ZZZZ", "action": "BUY", "confidence": 1}}, 422),
    ("targets in percent", "PUT", "/api/v1/targets", "all",
     {"json": {"targets": [{"symbol": "SPY", "weight": 60}]}}, 422),
    ("kill without a reason", "POST", KILL, "all", {"json": {}}, 422),
    ("effect by GET", "GET", KILL, "all", {}, 405),
    ("report outside", "GET", "/api/v1/reports/..%2f..%2fconfig%2fexecution.yaml", "all", {}, 404),
    ("report outside, absolute", "GET", "/api/v1/reports//etc/passwd.json", "all", {}, 404),
    ("replay of no number", "GET", "/api/v1/events", "all", {"headers": {"Last-Event-ID": "-1"}}, 400),
    ("a key that is none", "POST", SIGNALS, "all", {"json": [], "headers": {"Idempotency-Key": "a b"}}, 400),
    ("preflight", "OPTIONS", SIGNALS, None,
     {"headers": {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}}, 401),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "path", "token", "more", "status"), ATTACKS, ids=[a[0] for a in ATTACKS])
def test_an_attack_is_refused(
    server: Server, name: str, method: str, path: str, token: str | None, more: dict[str, Any], status: int
) -> None:
    before = _changes(server)
    answer = server.ask(method, path, token, **more)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert _changes(server) == before
    assert not any(token in answer.text for token in server.tokens.values())


@pytest.mark.parametrize(
    "path", ["", "/", "/health", "/api/v1/signals", "/hooks/hook", "/hooks/hook/wrong", "/hooks/other/{}"]
)
def test_the_hooks_listener_has_no_other_route(server: Server, path: str) -> None:
    body = {"ticker": "AAPL", "action": "buy"}
    bearer = {"Authorization": f"Bearer {server.tokens['all']}"}
    answer = requests.post(server.hooks + path.format(server.tokens["hook"]), json=body, headers=bearer, timeout=60)
    assert answer.status_code == 404
    assert requests.get(f"{server.hooks}/hooks/hook/{server.tokens['hook']}", timeout=60).status_code == 405


def test_a_hook_is_refused_another_host(server: Server) -> None:
    url = f"{server.hooks}/hooks/hook/{server.tokens['hook']}"
    assert requests.post(url, data="buy AAPL", headers={"Host": "evil.example"}, timeout=60).status_code == 421


def test_two_host_headers_and_none_are_refused(server: Server) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    for heads, status in ((f"Host: 127.0.0.1:{port}\r\nHost: evil\r\n", 400), ("", 400)):
        with socket.create_connection(("127.0.0.1", port), 60) as raw:
            raw.sendall(f"GET /health HTTP/1.1\r\n{heads}Connection: close\r\n\r\n".encode())
            assert int(raw.recv(100).split()[1]) == status


def test_a_request_that_drips_is_cut_off(server: Server) -> None:
    """The head within ten seconds, then the body within ten: one byte a time keeps nothing open."""
    port = urlsplit(server.url).port
    assert port is not None
    token = server.tokens["all"]
    with (
        socket.create_connection(("127.0.0.1", port), 60) as head,
        socket.create_connection(("127.0.0.1", port), 60) as body,
    ):
        head.sendall(b"GET /health HTT")
        body.sendall(
            f"POST {SIGNALS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n[".encode()
        )
        assert head.recv(100) == b""
        assert body.recv(1000).split()[1] == b"408"


def test_wrong_tokens_are_counted_and_right_ones_are_not(server: Server) -> None:
    wrong = {"headers": {"Authorization": "Bearer wrong"}}
    found = [server.ask("GET", STATUS, None, **wrong).status_code for _ in range(140)]
    assert set(found) == {401, 429}
    assert server.ask("GET", STATUS).status_code == 200


def test_every_route_has_a_scope_or_is_public(server: Server) -> None:
    document = server.ask("GET", "/api/v1/openapi.json").json()
    open_routes = {
        path for path, methods in document["paths"].items() for route in methods.values() if not route.get("security")
    }
    assert open_routes == {
        "/health", "/api/v1/health/", "/api/v1/health/liveness", "/api/v1/health/readiness",
    }  # fmt: skip
    assert json.dumps(document["components"]["securitySchemes"]).count('"bearer"') == 1


def _changes(server: Server) -> tuple[object, ...]:
    with SignalInbox.open(server.state / "inbox.sqlite") as inbox:
        return len(inbox.after(0, 100_000)), inbox.books(), (server.state / "HALT").exists()
