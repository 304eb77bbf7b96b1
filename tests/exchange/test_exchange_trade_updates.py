"""Order events: each transition once, over the real websocket client, the raw protocol and server-sent events."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.exchange.streams.trade_updates import _Conversation

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
AUTH = {"action": "authenticate", "data": {"key_id": "key", "secret_key": "secret"}}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates", "account_updates"]}}
BUY = {"symbol": "KO", "qty": 2, "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
def quiet() -> Iterator[RunningExchange]:
    """A real server with one key pair, no partial fills, fills at once."""
    options = ExchangeOptions(
        key="key", secret="secret", rate_limit_per_minute=0, fill_latency_seconds=0.002, partial_fill_probability=0
    )
    with start_exchange(options) as server:
        yield server


def post(server: RunningExchange, **changes: Any) -> dict[str, Any]:
    answer = requests.post(f"{server.url}/v2/orders", json={**BUY, **changes}, headers=KEYS, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def stream(server: RunningExchange, path: str = "/stream", **extra: Any) -> Iterator[ClientConnection]:
    with connect(server.url.replace("http", "ws") + path, proxy=None, **extra) as socket:
        yield socket


def told(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=300))


def listening(socket: ClientConnection) -> None:
    socket.send(json.dumps(AUTH))
    assert told(socket) == {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
    socket.send(json.dumps(LISTEN))
    assert told(socket) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}


def until(socket: ClientConnection, name: str) -> list[dict[str, Any]]:
    found = []
    while not found or found[-1].get("event") != name:
        found.append(told(socket)["data"])
    return found


def test_the_real_trading_stream_hears_an_order_from_its_birth_to_its_fill(quiet: RunningExchange) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.trading.stream import TradingStream
    client = TradingStream("key", "secret", url_override=quiet.url.replace("http", "ws") + "/stream")
    heard: list[Any] = []
    done = threading.Event()

    async def hear(update: Any) -> None:
        heard.append(update)
        if update.event == "fill":
            done.set()
            await client.stop_ws()

    client.subscribe_trade_updates(hear)
    listens, known = threading.Event(), _Conversation._obey

    async def noted(conversation: _Conversation, message: dict[str, Any]) -> None:
        await known(conversation, message)
        if message.get("action") == "listen":
            listens.set()

    with pytest.MonkeyPatch.context() as patched:  # the client does not tell when the server has heard its `listen`
        patched.setattr(_Conversation, "_obey", noted)
        thread = threading.Thread(target=client.run, daemon=True)
        thread.start()
        assert listens.wait(300)
    order = post(quiet)
    assert done.wait(300)
    thread.join(300)
    assert [(one.event, str(one.order.id), one.order.status.value) for one in heard] == [
        ("pending_new", order["id"], "pending_new"),
        ("new", order["id"], "new"),
        ("fill", order["id"], "filled"),
    ]
    fill = heard[-1]
    assert (fill.qty, fill.position_qty, fill.price) == (2.0, 2.0, float(fill.order.filled_avg_price))
    assert [one.price for one in heard[:2]] == [None, None]


def test_messages_have_alpacas_shape_and_rising_ids(quiet: RunningExchange) -> None:
    with stream(quiet) as socket:
        listening(socket)
        post(quiet)
        events = until(socket, "fill")
    assert [set(one) for one in events[:-1]] == [{"event", "event_id", "at", "timestamp", "order"}] * 2
    assert set(events[-1]) == {
        "event", "event_id", "at", "timestamp", "order", "execution_id", "price", "qty", "position_qty",
    }  # fmt: skip
    identities = [one["event_id"] for one in events]
    assert identities == sorted(set(identities))
    assert {len(one) for one in identities} == {26}


@pytest.mark.parametrize(("path", "kind"), [("/stream", bytes), ("/stream/", bytes), ("/stream?frames=text", str)])
def test_frames_are_binary_like_paper_unless_text_is_asked_for(quiet: RunningExchange, path: str, kind: type) -> None:
    with stream(quiet, path) as socket:
        socket.send(json.dumps(AUTH).encode())
        answer = socket.recv(timeout=300)
        assert isinstance(answer, kind)
        assert json.loads(answer)["data"]["status"] == "authorized"


def test_msgpack_by_header(quiet: RunningExchange) -> None:
    with stream(quiet, additional_headers={"Content-Type": "application/msgpack"}) as socket:
        for message, status in ((AUTH, "authorized"), (LISTEN, None)):
            socket.send(msgpack.packb(message))
            answer = msgpack.unpackb(socket.recv(timeout=300))
            assert answer["data"].get("status") == status
        post(quiet)
        assert msgpack.unpackb(socket.recv(timeout=300))["data"]["event"] == "pending_new"


def test_one_connection_an_account(quiet: RunningExchange) -> None:
    with stream(quiet):
        with pytest.raises(InvalidStatus) as refused, stream(quiet):
            pass
        assert refused.value.response.status_code == 429
    for _ in range(30_000):  # the place is free once the server has seen the goodbye
        try:
            with stream(quiet) as socket:
                listening(socket)
                return
        except InvalidStatus:
            threading.Event().wait(0.01)
    raise AssertionError("the place was not given back")


def test_keys_and_order_of_messages(quiet: RunningExchange) -> None:
    with stream(quiet, "/stream?frames=text") as socket:
        socket.send(json.dumps(LISTEN))
        assert told(socket) == {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "key", "secret_key": "other"}}))
        assert told(socket)["data"] == {"status": "unauthorized", "action": "authenticate"}
        socket.send(json.dumps({"action": "auth", "key": "key", "secret": "secret"}))
        assert told(socket)["data"] == {"status": "authorized", "action": "authenticate"}
        socket.send(json.dumps({"action": "dance"}))
        assert told(socket)["action"] == "error"
        socket.send(json.dumps({"action": "listen", "data": {"streams": []}}))
        assert told(socket) == {"stream": "listening", "data": {"streams": []}}
        post(quiet)
        socket.send(json.dumps(LISTEN))
        assert told(socket)["stream"] == "listening"
        post(quiet, client_order_id="second")
        assert told(socket)["data"]["order"]["client_order_id"] != ""
        socket.send("{")
        with pytest.raises(ConnectionClosed):
            until(socket, "never")


def test_nonsense_never_breaks_the_server(quiet: RunningExchange) -> None:
    for nonsense in ("", "[]", "null", '"x"', "{", b"\xff\xfe", b"\xc1", "[" * 100_000):
        with pytest.raises(ConnectionClosed):
            _say(quiet, nonsense)
    assert requests.get(f"{quiet.url}/v2/clock", headers=KEYS, timeout=300).status_code == 200


def _say(server: RunningExchange, nonsense: str | bytes) -> None:
    for _ in range(30_000):
        try:
            with stream(server) as socket:
                socket.send(nonsense)
                while True:
                    socket.recv(timeout=300)
        except InvalidStatus:
            threading.Event().wait(0.01)


# --- server-sent events ----------------------------------------------------------------------------------------------


def replayed(url: str, query: str) -> list[dict[str, Any]]:
    """Events until the server ends the stream."""
    with requests.get(f"{url}/v2/events/trades?{query}", headers=KEYS, timeout=300, stream=True) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = [line.decode() for line in answer.iter_lines() if line]
    return [json.loads(line.removeprefix("data: ")) for line in lines if not line.startswith(":")]


def test_replay_by_time_and_by_id_survives_a_restart(tmp_path: Path) -> None:
    options = ExchangeOptions(state=tmp_path / "state.db", rate_limit_per_minute=0, fill_latency_seconds=0.0)
    with start_exchange(options) as server:
        first = post(server)
        server.clock.advance(60)
        second = post(server, symbol="JPM")
        server.clock.advance(60)
        requests.get(f"{server.url}/v2/clock", headers=KEYS, timeout=300)
    with start_exchange(options) as server:
        whole = replayed(server.url, "since=2026-11-20&until=2026-11-20T15:06:59Z")
        marks = [(one["event"], one["order"]["id"]) for one in whole]
        assert marks == [(name, one["id"]) for one in (first, second) for name in ("pending_new", "new", "fill")]
        middle = whole[2]["event_id"]
        assert replayed(server.url, f"since_id={middle}&until_id={whole[4]['event_id']}") == whole[3:5]
        assert replayed(server.url, f"since={second['submitted_at']}&until_id={whole[3]['event_id']}") == [whole[3]]
        assert replayed(server.url, "since=2026-11-19&until=2026-11-20T00:00:00Z") == []


def test_what_happens_later_follows_the_replay(quiet: RunningExchange) -> None:
    post(quiet, client_order_id="before")
    with requests.get(
        f"{quiet.url}/v2/events/trades?since=2026-11-20", headers=KEYS, timeout=300, stream=True
    ) as answer:
        lines = answer.iter_lines()
        seen = []
        while len(seen) < 6:
            line = next(lines).decode()
            if line.startswith("data: "):
                body = json.loads(line[6:])
                seen.append((body["order"]["client_order_id"], body["event"]))
                if seen[-1] == ("before", "fill"):
                    post(quiet, client_order_id="after")
    assert seen == [(one, name) for one in ("before", "after") for name in ("pending_new", "new", "fill")]


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "since_id=ABC", "since=2026-11-20&since_id=01HCNKR9DFTX0HR6RMPXKV8KEK", "until=2026-11-20",
     "since=2026-11-20&until=2026-11-21&until_id=01HCNKR9DFTX0HR6RMPXKV8KEK"],
)  # fmt: skip
def test_unreadable_spans_are_refused(quiet: RunningExchange, query: str) -> None:
    answer = requests.get(f"{quiet.url}/v2/events/trades?{query}", headers=KEYS, timeout=300)
    assert (answer.status_code, answer.json()["code"]) == (422, 40010001)


def test_events_need_keys(quiet: RunningExchange) -> None:
    assert requests.get(f"{quiet.url}/v2/events/trades", timeout=300).status_code == 401


def test_stopping_the_server_ends_its_streams(quiet: RunningExchange) -> None:
    with stream(quiet) as socket:
        listening(socket)
        quiet.stop()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=300)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1012, 1000)
