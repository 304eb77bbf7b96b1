"""What clients put into a subscription: every channel that they know, most of them empty; and how they compress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import ClientConnection, connect

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.exchange.streams.market_feed import CHANNELS

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


@pytest.fixture
def still() -> Iterator[RunningExchange]:
    with start_exchange(ExchangeOptions(rate_limit_per_minute=0, speed=0)) as server:
        yield server


@contextmanager
def authenticated(server: RunningExchange, path: str) -> Iterator[ClientConnection]:
    with connect(server.url.replace("http", "ws") + path, proxy=None, additional_headers=KEYS) as socket:
        assert told(socket) == [{"T": "success", "msg": "connected"}]
        assert told(socket) == [{"T": "success", "msg": "authenticated"}]
        yield socket


def told(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=300))


def asked(socket: ClientConnection, **channels: object) -> Any:
    socket.send(json.dumps({"action": "subscribe", **channels}))
    return told(socket)


EVERY = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances", "orderbooks",
         "news", "pricing", "corrections", "cancelErrors", "something-of-2027")  # fmt: skip


@pytest.mark.parametrize("nothing", [[], None], ids=["empty", "null"])
@pytest.mark.parametrize(
    ("path", "kind", "symbol"),
    [
        ("/v2/iex", "stocks", "AAPL"),
        ("/v2/sip", "stocks", "AAPL"),
        ("/v1beta3/crypto/us", "crypto", "BTC/USD"),
        ("/v1beta3/crypto/us-1", "crypto", "BTC/USD"),
        ("/v1beta3/crypto/eu-1", "crypto", "BTC/USD"),
        ("/v1beta1/news", "news", "AAPL"),
    ],
)
def test_unknown_empty_and_null_channels_change_nothing(
    still: RunningExchange, path: str, kind: Any, symbol: str, nothing: object
) -> None:
    known = CHANNELS[kind]
    wanted = "quotes" if kind != "news" else "news"
    with authenticated(still, path) as socket:
        confirmed = asked(socket, **{**dict.fromkeys(EVERY, nothing), wanted: [symbol]})
        assert confirmed == [{"T": "subscription", **{name: [symbol] if name == wanted else [] for name in known}}]
        unknown = asked(socket, **{name: ["*"] for name in EVERY if name not in known})
        assert unknown == confirmed


def test_channels_on_which_nothing_happens_are_confirmed(still: RunningExchange) -> None:
    with authenticated(still, "/v2/iex") as socket:
        row = asked(socket, lulds=["KO"], imbalances=["KO"], corrections=["KO"], cancelErrors=["KO"], trades=["KO"])[0]
        assert {name: row[name] for name in ("lulds", "imbalances", "corrections", "cancelErrors")} == {
            "lulds": ["KO"], "imbalances": ["KO"], "corrections": ["KO"], "cancelErrors": ["KO"],
        }  # fmt: skip
        still.clock.advance(15)
        assert [(one["T"], one["S"]) for one in told(socket)] == [("t", "KO")]


def test_order_books_come_at_once_and_with_every_quote(still: RunningExchange) -> None:
    def book() -> Any:
        answer = requests.get(
            f"{still.url}/v1beta3/crypto/us/latest/orderbooks", params={"symbols": "BTC/USD"}, timeout=300
        )
        return {"T": "o", "S": "BTC/USD", **answer.json()["orderbooks"]["BTC/USD"], "r": True}

    with authenticated(still, "/v1beta3/crypto/us") as socket:
        asked(socket, orderbooks=["BTC/USD"], quotes=["ETH/USD"])
        assert told(socket) == [book()]
        still.clock.advance(15)
        assert [one for one in told(socket) if one["T"] == "o"] == [book()]


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (None, None),
        ({}, "permessage-deflate"),
        ({"client_max_window_bits": True}, "permessage-deflate"),
        (
            {"client_no_context_takeover": True, "server_no_context_takeover": True},
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ({"server_max_window_bits": 10}, "permessage-deflate; server_max_window_bits=10"),
    ],
    ids=["none", "plain", "any window", "no takeover", "a window"],
)
@pytest.mark.parametrize("path", ["/v2/iex", "/stream"])
def test_the_answer_names_no_parameter_that_the_client_did_not_offer(
    still: RunningExchange, path: str, offer: dict[str, Any] | None, answer: str | None
) -> None:
    more: dict[str, Any] = {"compression": None}
    if offer is not None:
        more["extensions"] = [ClientPerMessageDeflateFactory(**offer)]
    with connect(still.url.replace("http", "ws") + path, proxy=None, **more) as socket:
        assert socket.response is not None
        assert socket.response.headers.get("Sec-WebSocket-Extensions") == answer
