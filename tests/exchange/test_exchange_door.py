"""Who is let in: names that the port answers to, no web pages, bodies that are called JSON; and the limit of calls."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from rebalancer.exchange.door import names_of
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
ORDER = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
STILL = ExchangeOptions(rate_limit_per_minute=0, speed=0)
HOSTS = "this port answers to 127.0.0.1, ::1, localhost only; --allow-host adds a name"
PAGES = "web pages may not use this port"


@pytest.fixture(scope="module")
def still() -> Iterator[RunningExchange]:
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    with start_exchange(STILL) as server:
        yield server
    patch.undo()


def posted(running: RunningExchange, headers: dict[str, str]) -> tuple[int, Any]:
    """Status and body of an order, and whether it was booked is the number of orders."""
    answer = requests.post(f"{running.url}/v2/orders", json.dumps(ORDER), headers={**KEYS, **headers}, timeout=300)
    return answer.status_code, answer.json()


def booked(running: RunningExchange) -> int:
    return len(running.exchange.orders)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "evil.example.com:8899",
        "127.0.0.1.evil.example.com",
        "key@127.0.0.1",
        "10.0.0.1",
        "[::2]",
        "",
    ],
)
def test_another_host_is_refused_and_nothing_is_booked(still: RunningExchange, host: str) -> None:
    before = booked(still)
    assert posted(still, {"Host": host}) == (403, {"message": HOSTS})
    assert requests.get(f"{still.url}/v2/account", headers={**KEYS, "Host": host}, timeout=300).status_code == 403
    assert booked(still) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8899"])
def test_the_names_of_this_machine_are_let_in_whatever_the_port(still: RunningExchange, host: str) -> None:
    assert posted(still, {"Host": host})[0] == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", "http://localhost:3000", "file://", "http://127.0.0.1", ""]
)
def test_a_web_page_is_refused_and_nothing_is_booked(still: RunningExchange, origin: str) -> None:
    before = booked(still)
    assert posted(still, {"Origin": origin}) == (403, {"message": PAGES})
    for path in ("/stream", "/v2/iex", "/v1beta3/crypto/us"):
        address = still.url.replace("http", "ws") + path
        with (
            pytest.raises(InvalidStatus) as caught,
            connect(address, proxy=None, additional_headers={"Origin": origin or "x"}),
        ):
            pass
        assert (caught.value.response.status_code, json.loads(caught.value.response.body or b"")) == (
            403, {"message": PAGES},
        )  # fmt: skip
    assert booked(still) == before


def test_a_client_that_names_the_address_itself_as_origin_is_let_in(still: RunningExchange) -> None:
    assert posted(still, {"Origin": still.url})[0] == 200
    address = still.url.replace("http", "ws") + "/v2/iex"
    with connect(address, proxy=None, additional_headers={"Origin": still.url}) as stream:
        assert json.loads(stream.recv(timeout=300)) == [{"T": "success", "msg": "connected"}]


@pytest.mark.parametrize("path", ["/stream", "/v2/iex", "/v1beta3/crypto/us", "/v1beta1/news"])
def test_a_stream_under_another_name_is_refused(still: RunningExchange, path: str) -> None:
    host, port = still.url.removeprefix("http://").split(":")
    reached = socket.create_connection((host, int(port)), timeout=300)
    address = f"ws://evil.example.com:{port}{path}"
    with pytest.raises(InvalidStatus) as caught, connect(address, proxy=None, sock=reached):
        pass
    assert (caught.value.response.status_code, json.loads(caught.value.response.body or b"")) == (
        403, {"message": HOSTS},
    )  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_a_body_that_is_not_called_json_is_refused(still: RunningExchange, kind: str) -> None:
    before = booked(still)
    words = {"message": "send JSON, with Content-Type: application/json"}
    assert posted(still, {"Content-Type": kind}) == (415, words)
    for method in ("PATCH", "PUT"):
        answer = requests.request(
            method, f"{still.url}/v2/account/configurations", data="{}", headers={**KEYS, "Content-Type": kind},
            timeout=300,
        )  # fmt: skip
        assert (answer.status_code, answer.json()) == (415, words)
    assert booked(still) == before


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", ""])
def test_json_and_no_word_at_all_are_let_in(still: RunningExchange, kind: str) -> None:
    """Alpaca's Go client says nothing about its bodies."""
    assert posted(still, {"Content-Type": kind})[0] == 200
    deleted = requests.delete(f"{still.url}/v2/orders", headers={**KEYS, "Content-Type": "text/plain"}, timeout=300)
    assert deleted.status_code == 207


def test_allowed_hosts() -> None:
    with start_exchange(STILL._replace(allow_hosts=("exchange", "Trading.Example.COM"))) as server:
        assert [posted(server, {"Host": host})[0] for host in ("exchange:8899", "trading.example.com", "other")] == [
            200, 200, 403,
        ]  # fmt: skip


def test_the_names_of_a_port() -> None:
    own = {"127.0.0.1", "localhost", "::1"}
    assert names_of("127.0.0.1") == own
    assert names_of("0.0.0.0", ("exchange", "[fe80::1]")) == {*own, "exchange", "fe80::1"}
    assert names_of("::") == own
    assert names_of("192.168.1.5") == {*own, "192.168.1.5"}
    assert names_of("Box.local") == {*own, "box.local"}


@pytest.mark.parametrize(
    ("speed", "reset", "on_wall"),
    [(1.0, "auto", True), (0.0, "auto", False), (60.0, "auto", False), (1.0, "simulated", False), (0.0, "wall", True)],
)
def test_the_clock_of_the_rate_limits_reset(speed: float, reset: Any, *, on_wall: bool) -> None:
    options = ExchangeOptions(rate_limit_per_minute=7, rate_limit_reset=reset, speed=speed)
    with start_exchange(options) as server:
        before = time.time()
        answer = requests.get(f"{server.url}/v2/clock", headers=KEYS, timeout=300)
        after = time.time()
    told = int(answer.headers["X-Ratelimit-Reset"])
    assert answer.headers["X-Ratelimit-Limit"] == "7"
    if on_wall:
        assert before + 58 < told <= after + 62
    else:
        assert 0 < told - parsedate_to_datetime(answer.headers["Date"]).timestamp() <= 62
