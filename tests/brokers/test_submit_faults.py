"""Every way in which a POST can go wrong: exactly one request on the wire, and the right word for what is known."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Endpoints
from tests.brokers.making import CREDENTIALS, an_order, order_text, rules, scripted
from tests.support.scripted_server import (
    ScriptedServer,
    Step,
    drip,
    raw_reply,
    refuse_before_reading,
    reply,
    reset,
    silence,
)

HTML = "<html><body>Bad Gateway</body></html>"
GOOD = order_text().encode()


def wire(status: int, body: bytes, length: int | str) -> Step:
    return raw_reply(b"HTTP/1.1 %d X\r\nContent-Length: %s\r\n\r\n" % (status, str(length).encode()) + body)


FAULTS: list[tuple[str, Step, str, str]] = [
    ("never answers", silence(60), "unknown", "timeout"),
    ("resets after reading", reset(), "unknown", "connection_lost"),
    ("closes without a byte", raw_reply(b""), "unknown", "connection_lost"),
    ("too long a length", wire(200, GOOD, len(GOOD) + 10), "unknown", "connection_lost"),
    ("too short a length", wire(200, GOOD, len(GOOD) - 10), "unknown", "unreadable"),
    ("two lengths", wire(200, GOOD, f"{len(GOOD)}, 7"), "unknown", "connection_lost"),
    ("not HTTP", raw_reply(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "unknown", "connection_lost"),
    (
        "torn chunks",
        raw_reply(b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\nzz'),
        "unknown",
        "connection_lost",
    ),
    (
        "broken gzip",
        raw_reply(b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\n\r\nnot gzip"),
        "unknown",
        "connection_lost",
    ),
    ("empty 200", reply(200), "unknown", "empty"),
    ("204", reply(204), "unknown", "empty"),
    ("200 HTML", reply(200, HTML), "unknown", "unreadable"),
    ("200 null", reply(200, "null"), "unknown", "empty"),
    ("200 list", reply(200, "[]"), "unknown", "unreadable"),
    ("200 other object", reply(200, "{}"), "unknown", "unreadable"),
    ("200 nested deeply", reply(200, "[" * 100_000), "unknown", "unreadable"),
    ("200 not UTF-8", reply(200, b'{"id":"\xff"}'), "unknown", "unreadable"),
    ("200 NaN", reply(200, order_text().replace('"12"', "NaN")), "unknown", "unreadable"),
    ("other id", reply(200, order_text(client_order_id="x")), "unknown", "contradiction"),
    ("other symbol", reply(200, order_text(symbol="MSFT")), "unknown", "contradiction"),
    ("other side", reply(200, order_text(side="sell")), "unknown", "contradiction"),
    ("other quantity", reply(200, order_text(qty="13")), "unknown", "contradiction"),
    ("no quantity", reply(200, order_text(qty=None)), "unknown", "contradiction"),
    ("other class", reply(200, order_text(asset_class="us_option")), "unknown", "contradiction"),
    ("301", reply(301, "", headers=[("Location", "https://example.com/")]), "unknown", "http_301"),
    ("302 with an order", reply(302, GOOD, headers=[("Location", "/v2/orders")]), "unknown", "http_302"),
    ("307 mad target", reply(307, "", headers=[("Location", "http://[::::")]), "unknown", "http_307"),
    ("408", reply(408, '{"code":40810000,"message":"request timeout"}'), "unknown", "http_408"),
    ("429", reply(429, '{"code":42910000,"message":"rate limit exceeded"}'), "not_sent", "rate_limited"),
    ("429 plain", reply(429, "too many requests.", headers=[("Retry-After", "1")]), "not_sent", "rate_limited"),
    ("429 HTML", reply(429, HTML), "not_sent", "rate_limited"),
    ("403 HTML", reply(403, HTML), "unknown", "unreadable"),
    ("401 HTML", reply(401, HTML), "unknown", "unreadable"),
    ("422 torn", reply(422, '{"code":42210000,"mess'), "unknown", "unreadable"),
    ("422 no message", reply(422, '{"code":42210000}'), "unknown", "unreadable"),
    ("422 no code", reply(422, '{"message":"x"}'), "unknown", "unreadable"),
    ("422 empty", reply(422), "unknown", "unreadable"),
    ("400 with a 5xx code", reply(400, '{"code":50010000,"message":"internal"}'), "unknown", "contradiction"),
    ("404 elsewhere", reply(404, '{"message":"endpoint not found."}'), "unknown", "unreadable"),
    ("drip of the body", drip(200, GOOD, from_byte=60), "unknown", "timeout"),
    ("drip of the head", drip(200, GOOD), "unknown", "timeout"),
    *[(f"{code} HTML", reply(code, HTML), "unknown", f"http_{code}") for code in range(500, 505)],
    *[
        (f"{code} JSON", reply(code, '{"code":50010000,"message":"internal server error"}'), "unknown", f"http_{code}")
        for code in range(500, 505)
    ],
]


@pytest.mark.parametrize(("step", "kind", "reason"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_one_request_and_the_right_word(step: Step, kind: str, reason: str) -> None:
    # Were anything to repeat the POST, the second step would accept it, and the wire would show two.
    late = {"leap_seconds": 1000.0, "read_timeout_seconds": 0.2} if reason == "timeout" else {}
    with scripted([step, reply(200, GOOD)], **late) as (broker, server):
        result = broker.submit(an_order())
    assert (result.kind, result.reason) == (kind, reason), result
    assert result.message
    assert [(seen.method, seen.path) for seen in server.requests] == [("POST", "/v2/orders")]


def test_reset_before_reading_is_unknown() -> None:
    """The bytes left us; that the server did not read them is nothing that we can know. Only a reset that overtakes
    the end of the handshake proves that nothing left."""
    with scripted([refuse_before_reading(), reply(200, GOOD)]) as (broker, server):
        result = broker.submit(an_order())
    assert (result.kind, result.reason) in (("unknown", "connection_lost"), ("not_sent", "connect"))
    assert (server.connections, server.requests) == (1, [])


def test_every_prefix_of_a_good_answer_is_unknown() -> None:
    cut = [raw_reply(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n" + GOOD[:n]) for n in range(len(GOOD))]
    with scripted(cut) as (broker, server):
        kinds = {broker.submit(an_order()).kind for _ in cut}
    assert kinds == {"unknown"}
    assert len(server.requests) == len(cut)


def test_a_good_answer_is_accepted() -> None:
    with scripted([reply(200, GOOD)]) as (broker, _):
        result = broker.submit(an_order())
    assert result.kind == "accepted"
    assert result.order is not None
    assert result.order.client_order_id == an_order().client_order_id


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=200))
def test_no_answer_makes_submit_raise(data: bytes) -> None:
    with scripted([raw_reply(data)]) as (broker, server):
        result = broker.submit(an_order())
    assert result.kind in ("unknown", "not_sent", "refused")
    assert len(server.requests) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    status=st.sampled_from([200, 201, 302, 400, 403, 404, 422, 500]),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["code", "message", "id", "status", "qty", "side"]), inner, max_size=5)
        ),
        max_leaves=8,
    ),
)
def test_no_json_is_taken_for_an_accepted_order(status: int, body: Any) -> None:
    with scripted([reply(status, json.dumps(body))]) as (broker, _):
        assert broker.submit(an_order()).kind in ("unknown", "refused")


def unsent(url: str, **changes: Any) -> tuple[str, str]:
    broker = AlpacaBroker(CREDENTIALS, Endpoints(url), rules(**changes), wait=lambda seconds: None)
    result = broker.submit(an_order())
    broker.close()
    assert result.order is None
    assert result.message
    return result.kind, result.reason


def test_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert unsent(f"http://127.0.0.1:{port}") == ("not_sent", "connect")


def test_connect_timeout_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # they fill the queue of a server that never accepts
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        try:
            result = unsent(f"http://127.0.0.1:{port}", connect_timeout_seconds=0.2)
        finally:
            for sock in waiting:
                sock.close()
    assert result == ("not_sent", "connect_timeout")


def test_failed_tls_is_not_sent() -> None:
    plain = replace(raw_reply(b"HTTP/1.1 400 speak plainly\r\n\r\n"), before_reading=True)
    with ScriptedServer([plain], repeat_last=True) as server:
        assert unsent(server.url.replace("http:", "https:")) == ("not_sent", "tls")


def test_unknown_host_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert unsent("http://localhost:1") == ("not_sent", "dns")


def test_connection_closed_while_idle_is_noticed_before_sending() -> None:
    with scripted([reply(200, GOOD)], repeat_last=True) as (broker, server):
        assert broker.submit(an_order()).kind == "accepted"
        server.drop_idle_connections()
        assert broker.submit(an_order()).kind == "accepted"
    assert [seen.connection for seen in server.requests] == [1, 2]


def test_kept_connection_that_dies_on_the_next_request_is_unknown() -> None:
    with scripted([reply(200, GOOD), reset(), reply(200, GOOD)]) as (broker, server):
        assert broker.submit(an_order()).kind == "accepted"
        assert broker.submit(an_order()).kind == "unknown"
    assert [seen.connection for seen in server.requests] == [1, 1]


def test_redirect_does_not_carry_the_key_away() -> None:
    with ScriptedServer([reply(200, GOOD)], repeat_last=True) as elsewhere:
        away = reply(307, "", headers=[("Location", f"{elsewhere.url}/v2/orders")])
        with scripted([away], repeat_last=True) as (broker, _):
            assert broker.submit(an_order()).kind == "unknown"
    assert elsewhere.requests == []
