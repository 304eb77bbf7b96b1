"""Requests that no honest client sends: a proper refusal each time, never a 5xx, and nothing has changed."""

from __future__ import annotations

import json
import socket
from typing import Final

import pytest

from rebalancer.exchange.http.body import SIZE_MAX
from rebalancer.exchange.openapi.calls import CALLS
from rebalancer.exchange.starter import RunningExchange
from tests.conformance.recorder import KEYS
from tests.conformance.sender import judged, send
from tests.conformance.state import state_hash

ORDER: Final = {"symbol": "MSFT", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
ORDERS: Final = "/v2/orders"


LONG: Final = "A" * 20_000
BODIES: Final[dict[str, tuple[bytes, int]]] = {
    "empty": (b"", 400),
    "half an object": (b'{"symbol": "MSFT"', 400),
    "not JSON": (b"symbol=MSFT&qty=1", 400),
    "a list": (b"[]", 400),
    "a number": (b"7", 400),
    "null": (b"null", 400),
    "NaN": (json.dumps({**ORDER, "qty": float("nan")}).encode(), 400),
    "infinity": (json.dumps({**ORDER, "qty": float("inf")}).encode(), 400),
    "not UTF-8": (b'{"symbol": "\xff\xfe"}', 400),
    "UTF-16": (json.dumps(ORDER).encode("utf-16"), 400),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(ORDER).encode(), 400),
    "lone surrogate": (b'{"symbol": "\\ud800"}', 400),
    "NUL bytes": (b"\0" * 64, 400),
    "deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "larger than allowed": (b'{"a": "' + b"x" * SIZE_MAX + b'"}', 413),
    "a very long number": (b'{"qty": ' + b"9" * 200_000 + b"}", 400),
    "an unbounded exponent": (json.dumps({**ORDER, "qty": "1e999999999"}).encode(), 400),
    "a quantity of zero": (json.dumps({**ORDER, "qty": "0"}).encode(), 422),
    "a negative quantity": (json.dumps({**ORDER, "qty": -3}).encode(), 422),
    "a quantity that is too large": (json.dumps({**ORDER, "qty": "1e30"}).encode(), 422),
    "a list as a symbol": (json.dumps({**ORDER, "symbol": ["MSFT"]}).encode(), 400),
    "a number as a side": (json.dumps({**ORDER, "side": 1}).encode(), 400),
    "an object as a quantity": (json.dumps({**ORDER, "qty": {"a": 1}}).encode(), 400),
    "true as a quantity": (json.dumps({**ORDER, "qty": True}).encode(), 400),
    "a symbol with a NUL": (json.dumps({**ORDER, "symbol": "MS\0FT"}).encode(), 422),
    "SQL": (json.dumps({**ORDER, "symbol": "'; DROP TABLE orders; --"}).encode(), 422),
    "a very long client id": (json.dumps({**ORDER, "client_order_id": LONG}).encode(), 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_orders(still: RunningExchange, name: str) -> None:
    body, expected = BODIES[name]
    assert judged(still, "POST", ORDERS, body) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("//v2/account", 404),
        ("/v2//account", 404),
        ("/v2/account/", 404),
        ("/v2/./account", 404),
        ("/v2/x/../account", 404),
        ("/v2/%2e%2e/v2/account", 404),
        ("/v2%2Faccount", 200),  # decoded before routes are looked up, as every server of this kind does
        ("/V2/account", 404),
        ("/v2/account\0", 400),
        ("/v2/assets/%00", 404),
        ("/v2/assets/..%2f..%2fetc%2fpasswd", 404),
        ("/v2/assets/%ff%fe", 404),
        ("/v2/assets/BTC%252FUSD", 404),
        ("/v2/orders/..", 422),
        ("/v2/orders/%00", 422),
        (f"/v2/orders/{LONG}", 422),
        (f"/v2/positions/{LONG}", 404),
        (f"/v2/assets/{LONG}", 404),
        ("/v2/positions/%F0%9F%92%B0", 404),
        ("/v2/orders?limit=99999999999999999999", 422),
        ("/v2/orders?after=0000-00-00", 422),
        ("/v2/orders:by_client_order_id", 404),
        ("/v2/calendar?start=9999-12-31&end=0001-01-01", 200),
        ("/v2/calendar?start=2032-12-01", 200),
        ("/v2/calendar?start=0001-01-01T00:00:00Z", 200),
        ("/v2/calendar?start=0001-01-01T00:00:00%2B23:59", 400),
        ("/v2/account/activities?date=9999-12-31", 200),
        ("/v2/account/activities?page_size=-1", 422),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&start=0001-01-01&limit=1", 200),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=99999999999Min", 400),
        ("/v2/stocks/quotes/latest?symbols=" + ",".join(["AAPL"] * 3000), 200),
        ("/", 404),
        ("*", 404),
        ("http://elsewhere.example/v2/account", 403),
    ],
)  # fmt: skip
def test_paths(still: RunningExchange, target: str, expected: int) -> None:
    assert judged(still, "GET", target) == expected


@pytest.mark.parametrize("call", sorted({call.partition(" ")[2] for call in CALLS}))
def test_methods_that_a_path_does_not_have(still: RunningExchange, call: str) -> None:
    has = {name.partition(" ")[0] for name in CALLS if name.partition(" ")[2] == call}
    path = call.replace("{order_id}", "00000000-0000-4000-8000-000000000000").replace("{", "").replace("}", "")
    for method in ("PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        if method not in has:
            assert judged(still, method, path, b"{}") == 405, method


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"APCA-API-KEY-ID": ""}, 401),
        ({"APCA-API-SECRET-KEY": "wrong"}, 401),
        ({"APCA-API-KEY-ID": "k\xe9y"}, 401),
        ({"APCA-API-KEY-ID": LONG}, 401),
        ({"APCA-API-KEY-ID": "", "Authorization": "Basic !!!"}, 401),
        ({"APCA-API-KEY-ID": "", "Authorization": "Basic a2V5"}, 401),
        ({"APCA-API-KEY-ID": "", "Authorization": "Bearer"}, 401),
        ({"APCA-API-KEY-ID": "", "Authorization": "Digest key:secret"}, 401),
        ({"Content-Type": "text/html; charset=nonsense", "Accept": "image/png"}, 200),
        ({"Range": "bytes=0-1", "If-None-Match": "*", "Expect": "nothing"}, 200),
        ({"X-HTTP-Method-Override": "DELETE", "X-Forwarded-Host": "elsewhere"}, 200),
    ],
)  # fmt: skip
def test_headers(still: RunningExchange, headers: dict[str, str], expected: int) -> None:
    assert judged(still, "GET", "/v2/positions", headers=headers) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v2/account HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,  # somebody speaks TLS
        b"GET /v2/account HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        b"GET /v2/account HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v2/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"POST /v2/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"POST /v2/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v2/account HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
    ids=range(10),
)
def test_what_is_hardly_http(still: RunningExchange, raw: bytes) -> None:
    """Refused or hung up on, and the next request is served."""
    before = state_hash(still.exchange)
    host, port = still.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=300) as connection:
        answer = b""
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except OSError:
            pass  # it hung up while we were still talking
    assert answer == b"" or answer[9:10] == b"4", answer[:200]
    assert state_hash(still.exchange) == before
    assert send(still, "GET", "/v2/clock")[0] == 200


def test_a_body_that_never_ends_is_cut_off(still: RunningExchange) -> None:
    """Without an announced length the server stops reading at its bound."""
    host, port = still.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in KEYS.items())
    with socket.create_connection((host, int(port)), timeout=300) as connection:
        connection.sendall(
            f"POST {ORDERS} HTTP/1.1\r\nHost: {host}\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(SIZE_MAX // 65536 + 1):
            connection.sendall(chunk)
        assert connection.recv(1024).startswith(b"HTTP/1.1 413")


def test_the_hash_of_the_state_sees_every_change(still: RunningExchange) -> None:
    """Otherwise "nothing has changed" would hold for anything."""
    seen = {state_hash(still.exchange)}
    for method, path, body in (
        ("POST", ORDERS, {**ORDER, "client_order_id": "seen"}),
        ("DELETE", ORDERS, None),
        ("PATCH", "/v2/account/configurations", {"no_shorting": True}),
        ("POST", "/v2/watchlists", {"name": "seen"}),
    ):
        assert send(still, method, path, None if body is None else json.dumps(body).encode())[0] < 300
        seen.add(state_hash(still.exchange))
    assert len(seen) == 5


def test_a_fault_of_ours_is_told_in_the_same_form(still: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(still.exchange, "account", broken)
    status, body = send(still, "GET", "/v2/account")
    assert (status, json.loads(body)) == (500, {"code": 50010000, "message": "internal server error occurred"})
    monkeypatch.undo()
    assert send(still, "GET", "/v2/account")[0] == 200
