"""Faults of the order-event stream, as a listener meets them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from websockets.exceptions import ConnectionClosed

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.brokers.making import KEY, SECRET
from tests.exchange.test_exchange_faults import KEYS, eventually, strike
from tests.exchange.test_exchange_trade_updates import stream, told


@pytest.fixture
def server() -> Iterator[RunningExchange]:
    """Fills at once and whole."""
    options = ExchangeOptions(rate_limit_per_minute=0, partial_fill_probability=0, fill_latency_seconds=0.0)
    with start_exchange(options) as running:
        yield running


def heard(server: RunningExchange, count: int) -> list[str]:
    """The first events of one order, as a listener hears them."""
    with stream(server) as socket:
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": KEY, "secret_key": SECRET}}))
        told(socket)
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        told(socket)
        requests.post(
            f"{server.url}/v2/orders", json={"symbol": "KO", "qty": 1, "side": "buy", "type": "market",
                                             "time_in_force": "day"}, headers=KEYS, timeout=300,
        )  # fmt: skip
        return [told(socket)["data"]["event"] for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "event", "expected"),
    [
        ("stream_lose", "new", ["pending_new", "fill"]),
        ("stream_duplicate", "new", ["pending_new", "new", "new", "fill"]),
        ("stream_reorder", "new", ["pending_new", "fill", "new"]),
        ("stream_reorder", "fill", ["pending_new", "new", "fill"]),
    ],
)
def test_a_stream_that_cannot_be_relied_on(server: RunningExchange, kind: str, event: str, expected: list[str]) -> None:
    eventually(lambda: not server._hub.connected())
    strike(server, kind, event=event)
    assert heard(server, len(expected)) == expected


def test_a_stream_that_breaks_off_and_one_that_falls_silent(server: RunningExchange) -> None:
    eventually(lambda: not server._hub.connected())
    strike(server, "stream_drop", event="fill", name="s")
    with pytest.raises(ConnectionClosed):
        heard(server, 3)
    eventually(lambda: not server._hub.connected())
    strike(server, "stream_mute", event="new", name="s")
    with stream(server) as socket:
        socket.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
        told(socket)
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        told(socket)
        server.exchange.submit({"symbol": "KO", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"})
        assert told(socket)["data"]["event"] == "pending_new"
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)
