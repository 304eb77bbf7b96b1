"""Market data over websocket: the real stock and crypto clients, the protocol's words, and complete bars."""

from __future__ import annotations

import itertools
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rebalancer.exchange.core import Exchange
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from rebalancer.exchange.streams.market_feed import CHANNELS, MarketFeed

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
AUTH = {"action": "auth", "key": "key", "secret": "secret"}


@pytest.fixture
def still() -> Iterator[RunningExchange]:
    """A server whose clock only moves when stepped: 10:05 in New York, on a Friday."""
    with start_exchange(ExchangeOptions(key="key", secret="secret", rate_limit_per_minute=0, speed=0)) as server:
        yield server


def ws(server: RunningExchange, path: str, **extra: Any) -> ClientConnection:
    return connect(server.url.replace("http", "ws") + path, proxy=None, **extra)


def told(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=300))


def subscribed(socket: ClientConnection, **channels: list[str]) -> None:
    assert told(socket) == [{"T": "success", "msg": "connected"}]
    socket.send(json.dumps(AUTH))
    assert told(socket) == [{"T": "success", "msg": "authenticated"}]
    socket.send(json.dumps({"action": "subscribe", **channels}))
    assert told(socket) == [{"T": "subscription", **{name: channels.get(name, []) for name in CHANNELS["stocks"]}}]


def run(client: Any, act: Callable[[], None], done: threading.Event) -> None:
    """Let a real client hear what `act` causes."""
    subscribed, known = threading.Event(), MarketFeed.subscriptions

    def noted(feed: MarketFeed) -> Any:
        subscribed.set()
        return known(feed)

    with pytest.MonkeyPatch.context() as patched:  # the client does not tell when its subscription is confirmed
        patched.setattr(MarketFeed, "subscriptions", noted)
        thread = threading.Thread(target=client.run, daemon=True)
        thread.start()
        assert subscribed.wait(300)
    act()
    assert done.wait(300)
    thread.join(300)


def test_the_real_stock_stream(still: RunningExchange) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live.stock import StockDataStream
    client = StockDataStream("key", "secret", url_override=still.url.replace("http", "ws") + "/v2/iex")
    heard: list[Any] = []
    done = threading.Event()

    async def hear(one: Any) -> None:
        heard.append(one)
        if type(one).__name__ == "Bar":
            done.set()
            await client.stop_ws()

    client.subscribe_quotes(hear, "AAPL")
    client.subscribe_trades(hear, "AAPL")
    client.subscribe_bars(hear, "AAPL")
    run(client, lambda: still.clock.advance(60), done)
    assert [type(one).__name__ for one in heard] == ["Trade", "Quote"] * 4 + ["Bar"]
    bar = heard[-1]
    prices = [one.price for one in heard if type(one).__name__ == "Trade"]
    rest = requests.get(
        f"{still.url}/v2/stocks/bars?symbols=AAPL&timeframe=1Min&start={bar.timestamp:%Y-%m-%dT%H:%M:%SZ}&limit=1",
        headers=KEYS, timeout=300,
    ).json()["bars"]["AAPL"][0]  # fmt: skip
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == tuple(rest[key] for key in "ohlcv")
    assert set(prices[:3]) <= {bar.open, bar.high, bar.low, bar.close} | set(prices)
    assert all(one.bid_price < one.ask_price for one in heard if type(one).__name__ == "Quote")


def test_the_real_crypto_stream(still: RunningExchange) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live.crypto import CryptoDataStream
    client = CryptoDataStream("key", "secret", url_override=still.url.replace("http", "ws") + "/v1beta3/crypto/us")
    done = threading.Event()
    heard: list[Any] = []

    async def hear(quote: Any) -> None:
        heard.append(quote)
        done.set()
        await client.stop_ws()

    client.subscribe_quotes(hear, "BTC/USD")
    run(client, lambda: still.clock.advance(15), done)
    assert heard[0].symbol == "BTC/USD"
    assert heard[0].bid_price < heard[0].ask_price


def test_the_protocols_words(still: RunningExchange) -> None:
    with ws(still, "/v2/iex") as socket:
        assert told(socket) == [{"T": "success", "msg": "connected"}]
        for text, code, words in (
            (json.dumps({"action": "subscribe", "quotes": ["KO"]}), 401, "not authenticated"),
            ("[", 400, "invalid syntax"),
        ):
            socket.send(text)
            assert told(socket) == [{"T": "error", "code": code, "msg": words}]
        socket.send(json.dumps(AUTH))
        assert told(socket) == [{"T": "success", "msg": "authenticated"}]
        for message, code in (
            (AUTH, 403), ({"action": "dance"}, 400), ({"action": "subscribe", "quotes": "KO"}, 400),
        ):  # fmt: skip
            socket.send(json.dumps(message))
            assert told(socket)[0]["code"] == code
        with ws(still, "/v2/iex") as second:
            told(second)
            second.send(json.dumps(AUTH))
            assert told(second) == [{"T": "error", "code": 406, "msg": "connection limit exceeded"}]
            with pytest.raises(ConnectionClosed):
                told(second)
        with ws(still, "/v2/sip", additional_headers=KEYS) as other:
            assert [told(other)[0]["msg"], told(other)[0]["msg"]] == ["connected", "authenticated"]
    with ws(still, "/v2/iex") as socket:
        told(socket)
        socket.send(json.dumps({**AUTH, "secret": "other"}))
        assert told(socket) == [{"T": "error", "code": 402, "msg": "auth failed"}]
    with pytest.raises(InvalidStatus):
        ws(still, "/v2/gossip")


def test_unsubscribing_and_stars(still: RunningExchange) -> None:
    with ws(still, "/v2/iex") as socket:
        subscribed(socket, quotes=["*"], trades=["KO"])
        still.clock.advance(15)
        found = told(socket)
        tradable = {s for s, one in still.exchange.market.listings.items() if one.tradable and not one.is_crypto}
        assert {one["S"] for one in found if one["T"] == "q"} == tradable
        assert [one["S"] for one in found if one["T"] == "t"] == ["KO"]
        socket.send(json.dumps({"action": "unsubscribe", "quotes": ["*"]}))
        assert told(socket)[0]["quotes"] == []
        still.clock.advance(15)
        assert [(one["T"], one["S"]) for one in told(socket)] == [("t", "KO")]


def looked_twice(still: RunningExchange) -> None:
    """Return when the streams have looked for news since this was called."""
    looks, known, twice = itertools.count(1), MarketFeed.news, threading.Event()

    def news(feed: MarketFeed) -> Any:
        found = known(feed)
        if next(looks) >= 2:
            twice.set()
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MarketFeed, "news", news)
        assert twice.wait(300)


def test_halts_are_told_and_stop_the_prices(still: RunningExchange) -> None:
    with ws(still, "/v2/iex") as socket:
        subscribed(socket, statuses=["KO"], trades=["KO"])
        for halted, word in ((True, "H"), (False, "T")):
            now = still.exchange.clock.micros()
            if halted:
                still.exchange.schedule_halt(Halt("KO", now, now + 10**12))
            else:
                still.exchange.end_halts("KO")
            assert [(one["T"], one["S"], one["sc"]) for one in told(socket)] == [("s", "KO", word)]
            still.clock.advance(30)
            looked_twice(still)  # what a halt hides is not told
        assert {one["T"] for one in told(socket)} == {"t"}


def test_how_often_one_asks_changes_nothing(exchange: Exchange) -> None:
    feeds = [MarketFeed(exchange, "stocks") for _ in range(2)]
    for feed in feeds:
        for channel in ("trades", "quotes", "bars", "dailyBars"):
            feed.subscribe(channel, ["AAPL", "KO"])
    often: list[Any] = []
    for seconds in (1, 14, 0.5, 44.5, 61, 3600, 20_000):  # past the close
        exchange.clock.advance(seconds)
        often += feeds[0].news()
    seldom = feeds[1].news()

    def key(one: dict[str, Any]) -> str:
        return json.dumps(one, default=str, sort_keys=True)

    assert sorted(map(key, often)) == sorted(map(key, seldom))
    kinds = [one["T"] for one in often if one["S"] == "KO"]
    minutes = (16 - 10) * 60 - 5  # from 10:05 to the close
    assert {kind: kinds.count(kind) for kind in "tqbd"} == {
        "t": 4 * minutes, "q": 4 * minutes, "b": minutes, "d": minutes,
    }  # fmt: skip
