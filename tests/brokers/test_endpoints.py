"""Where a key may go, and that it shows nowhere else."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable

import pytest

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.core.errors import CredentialsRefused, ExternalError
from tests.brokers.making import CREDENTIALS, KEY, SECRET, an_order, rules, scripted
from tests.support.scripted_server import ScriptedServer, raw_reply, reply, reset

PAPER, DATA = "https://paper-api.alpaca.markets", "https://data.alpaca.markets"


@pytest.mark.parametrize(
    ("environ", "trading", "data"),
    [
        ({}, PAPER, DATA),
        ({"APCA_API_BASE_URL": ""}, PAPER, DATA),
        ({"APCA_API_BASE_URL": PAPER + "/"}, PAPER, DATA),
        ({"APCA_API_BASE_URL": PAPER + "/v2"}, PAPER, DATA),
        ({"APCA_API_BASE_URL": PAPER + "/v2/"}, PAPER, DATA),
        ({"APCA_API_BASE_URL": " https://PAPER-api.alpaca.markets:443 "}, PAPER, DATA),
        ({"APCA_API_BASE_URL": "http://127.0.0.1:8899/v2/"}, "http://127.0.0.1:8899", "http://127.0.0.1:8899"),
        ({"APCA_API_BASE_URL": "http://localhost:1"}, "http://localhost:1", "http://localhost:1"),
        ({"APCA_API_BASE_URL": "http://[::1]:1"}, "http://[::1]:1", "http://[::1]:1"),
        ({"APCA_API_BASE_URL": "https://127.9.9.9"}, "https://127.9.9.9", "https://127.9.9.9"),
        ({"APCA_API_DATA_URL": "https://data.sandbox.alpaca.markets/"}, PAPER, "https://data.sandbox.alpaca.markets"),
        ({"APCA_API_DATA_URL": "http://127.0.0.1:1/v2"}, PAPER, "http://127.0.0.1:1"),
    ],
)
def test_addresses(environ: dict[str, str], trading: str, data: str) -> None:
    endpoints = Endpoints.from_environment(environ)
    assert (endpoints.trading_url, endpoints.data_url, endpoints.is_live) == (trading, data, False)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://paper-api.alpaca.markets.example.com",
        "https://example.com/paper-api.alpaca.markets",
        "https://paper-api.alpaca.markets@example.com",
        "https://key:secret@paper-api.alpaca.markets",
        "http://paper-api.alpaca.markets",
        "https://paper-api.alpaca.markets:8443",
        "https://data.alpaca.markets",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0:1",
        "http://127.0.0.1:notaport",
        "http://[::1",
        "ftp://127.0.0.1",
        "paper-api.alpaca.markets",
        "https://paper-api.alpaca.markets/v1",
        "https://paper-api.alpaca.markets?x=1",
        "https://paper-api.alpaca.markets#x",
    ],
)
def test_any_other_host_is_refused(url: str) -> None:
    with pytest.raises(ExternalError, match="APCA_API_BASE_URL"):
        Endpoints(url)
    with pytest.raises(ExternalError, match="APCA_API_DATA_URL"):
        Endpoints(PAPER, url.replace("https://data.alpaca.markets", "https://paper-api.alpaca.markets"))


def test_the_live_host_is_refused_by_name() -> None:
    live = Endpoints("https://api.alpaca.markets")
    assert live.is_live
    with pytest.raises(CredentialsRefused, match=r"https://api\.alpaca\.markets is Alpaca's live trading host"):
        AlpacaBroker(CREDENTIALS, live, rules())


@pytest.mark.parametrize(("key", "secret"), [("", "x"), ("x", ""), ("a b", "x"), ("x", "a\nb"), ("x", "ä")])
def test_half_a_key_pair_is_refused(key: str, secret: str) -> None:
    with pytest.raises(CredentialsRefused):
        Credentials(key, secret)


def test_key_pair_from_the_environment() -> None:
    environ = {"APCA_API_KEY_ID": f" {KEY}\n", "APCA_API_SECRET_KEY": SECRET}
    assert Credentials.from_environment(environ).reveal() == (KEY, SECRET)
    with pytest.raises(CredentialsRefused, match="APCA_API_SECRET_KEY"):
        Credentials.from_environment({"APCA_API_KEY_ID": KEY})


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>40}".format])
def test_a_key_pair_does_not_show_itself(show: Callable[[object], str]) -> None:
    assert show(CREDENTIALS).strip() == "Credentials(***)"


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_pair_is_not_written_anywhere(write: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        write(CREDENTIALS)


def test_the_key_reaches_no_message_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    """A hostile broker echoes what it was sent, in every kind of answer, while everything is logged."""
    caplog.set_level(logging.DEBUG)
    echo = f'{{"code":40310000,"message":"bad pair {KEY} / {SECRET}"}}'
    steps = [
        reset(),
        reply(200, f'{{"id":"{SECRET}","symbol":"{KEY}"}}'),
        reply(403, echo),
        reply(500, echo),
        reply(429, echo),
        reply(400, f"{KEY}:{SECRET}"),
        reply(302, "", headers=[("Location", f"https://example.com/{SECRET}")]),
        raw_reply(f"HTTP/1.1 200 {SECRET}\r\nContent-Length: x\r\n\r\n{KEY}".encode()),
    ]
    told: list[str] = []
    for step in steps:
        with scripted([step], repeat_last=True) as (broker, server):
            told += [repr(broker), repr(vars(broker)), repr(broker.submit(an_order()))]
            for ask in (broker.account, broker.clock, broker.positions, lambda: broker.find_order("x")):
                with pytest.raises(ExternalError) as caught:
                    ask()
                told.append(f"{caught.value!r} {caught.value} {caught.value.__cause__!r}")
        assert server.requests
    text = "\n".join(told) + caplog.text
    assert len(text) > 1000
    assert KEY not in text
    assert SECRET not in text


def test_environment_proxies_do_not_see_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer([reply(200, "[]")], repeat_last=True) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with scripted([reply(200, "[]")]) as (broker, _):
            assert broker.positions() == ()
    assert proxy.requests == []
