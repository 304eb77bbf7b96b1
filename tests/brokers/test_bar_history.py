"""Bars of the past from Alpaca's endpoint: pages, repeated requests after a 429, and rows that cannot be used."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.protocol import PriceBar
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused
from rebalancer.testing.exchange import running_exchange
from tests.brokers.making import KEY, SECRET, rules, scripted
from tests.support.scripted_server import Seen, Step, answer, reply

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")

FIRST, LAST = datetime(2026, 7, 1, 4, tzinfo=UTC), datetime(2026, 7, 2, 3, 59, 59, 999999, tzinfo=UTC)
BEGIN = datetime(2026, 7, 1, 13, 30, tzinfo=UTC)
NAN = math.nan


def row(minute: int, **changes: Any) -> dict[str, Any]:
    found = {
        "t": f"2026-07-01T13:{minute}:00Z",
        "o": 10.1,
        "h": 10.4,
        "l": 9.9,
        "c": 10.25,
        "v": 1200,
        "n": 7,
        "vw": 10.2,
    }
    return {**found, **changes}


def bar(minute: int, vwap: float = 10.2) -> PriceBar:
    return PriceBar(BEGIN.replace(minute=minute), 10.1, 10.4, 9.9, 10.25, 1200.0, vwap)


def page(bars: Any, token: str | None = None) -> Step:
    return reply(200, json.dumps({"bars": bars, "next_page_token": token}))


def asked(seen: Seen) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(seen.path).query).items()}


def test_pages_and_a_rate_limit() -> None:
    steps = [
        reply(429, '{"message": "too many requests."}', headers=[("Retry-After", "0")]),
        page({"AAPL": [row(30)]}, "one"),
        page({"AAPL": [row(35)], "MSFT": [row(30, vw=None)]}, "two"),
        page(None),
    ]
    with scripted(steps) as (broker, server):
        found = broker.bars(["MSFT", "AAPL", "GONE"], "5Min", FIRST, LAST, "all")
    assert repr(found) == repr({"AAPL": [bar(30), bar(35)], "MSFT": [bar(30, NAN)]})
    assert [urlsplit(seen.path).path for seen in server.requests] == ["/v2/stocks/bars"] * 4
    first = {
        "symbols": "AAPL,GONE,MSFT", "timeframe": "5Min", "start": "2026-07-01T04:00:00Z",
        "end": "2026-07-02T03:59:59.999999Z", "limit": "10000", "adjustment": "all", "feed": "iex",
    }  # fmt: skip
    tokens: list[dict[str, str]] = [{}, {}, {"page_token": "one"}, {"page_token": "two"}]
    assert [asked(seen) for seen in server.requests] == [first | token for token in tokens]


def test_raw_prices_and_another_feed() -> None:
    with scripted([page({})], data_feed="sip") as (broker, server):
        assert broker.bars(["AAPL"], "1Day", FIRST, LAST, "raw") == {}
    sent = asked(server.requests[0])
    assert (sent["adjustment"], sent["feed"], sent["timeframe"]) == ("raw", "sip", "1Day")


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        ({"AAPL": [row(30), row(35, c="x")]}, r"bars of AAPL\[1\]: c: 'x' is not"),
        ({"AAPL": [row(30, o=None)]}, r"bars of AAPL\[0\]: o is missing"),
        ({"AAPL": [row(30, h=0)]}, r"bars of AAPL\[0\]: h is 0, not a price above 0"),
        ({"AAPL": [row(30, l=-1)]}, r"bars of AAPL\[0\]: l is -1, not a price above 0"),
        ({"AAPL": [row(30, l=11)]}, r"bars of AAPL\[0\]: the low 11 is above the high 10.4"),
        ({"AAPL": [row(30, v=-5)]}, r"bars of AAPL\[0\]: v is -5"),
        ({"AAPL": [row(30, t="soon")]}, r"bars of AAPL\[0\]: t: 'soon' is not"),
        ({"AAPL": [row(30, t=None)]}, r"bars of AAPL\[0\]: t is missing"),
        ({"AAPL": [row(30), row(30)]}, "bars of AAPL: 2026-07-01T13:30:00Z appears twice"),
        ({"AAPL": [row(30, t="2026-07-02T13:30:00Z")]}, "bars of AAPL: 2026-07-02T13:30:00Z is outside"),
        ({"TSLA": [row(30)]}, "bars of TSLA were not asked for"),
        ({"AAPL": [7]}, r"bars of AAPL\[0\] is not an object"),
        ({"AAPL": {"t": 1}}, "bars of AAPL is not a list"),
        ([row(30)], "bars is not an object"),
    ],
)
def test_rows_that_cannot_be_used(bars: Any, said: str) -> None:
    with (
        scripted([page(bars)]) as (broker, _),
        pytest.raises(BrokerUnavailable, match=f"the broker's bars cannot be read: {said}"),
    ):
        broker.bars(["AAPL"], "5Min", FIRST, LAST, "all")


def test_pages_that_repeat_themselves() -> None:
    with (
        scripted([answer(lambda seen: {"bars": {}, "next_page_token": "one"})], repeat_last=True) as (broker, server),
        pytest.raises(BrokerUnavailable, match="the list of bars repeats itself"),
    ):
        broker.bars(["AAPL"], "5Min", FIRST, LAST, "all")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("step", "error", "said"),
    [
        (reply(401, '{"message": "unauthorized."}'), CredentialsRefused, "refused the key"),
        (reply(403, '{"message": "subscription does not permit querying recent SIP data"}'), BrokerUnavailable, "iex"),
        (reply(400, '{"message": "invalid timeframe"}'), BrokerUnavailable, "invalid timeframe"),
    ],
)
def test_refusals(step: Step, error: type[Exception], said: str) -> None:
    with scripted([step]) as (broker, _), pytest.raises(error, match=said) as caught:
        broker.bars(["AAPL"], "5Min", FIRST, LAST, "all")
    assert KEY not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_day_of_minutes_takes_two_pages_of_the_exchange() -> None:
    with running_exchange(key=KEY, secret=SECRET) as exchange:
        broker = AlpacaBroker(Credentials(KEY, SECRET), Endpoints(exchange.url), rules())
        names = [one.symbol for one in broker.instruments() if one.asset_class == "us_equity"][:30]
        broker.traffic.lap()
        found = broker.bars(names, "1Min", FIRST, LAST, "all")
        assert broker.traffic.lap().calls == 2
        broker.close()
    minutes = [BEGIN + timedelta(minutes=n) for n in range(390)]
    assert {name: [one.begins for one in bars] for name, bars in found.items()} == dict.fromkeys(sorted(names), minutes)
