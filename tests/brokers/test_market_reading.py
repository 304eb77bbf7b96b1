"""What assets, quotes and bars become; a bad row costs only its own symbol."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Instrument, Quote
from tests.brokers.making import CLOCK, scripted
from tests.support.scripted_server import Seen, answer, reply


def test_instruments() -> None:
    equity = {
        "class": "us_equity",
        "status": "active",
        "symbol": "AAPL",
        "exchange": "A NEW ONE",
        "tradable": True,
        "fractionable": True,
        "shortable": True,
        "attributes": ["a_new_one"],
    }
    pair = {
        "class": "crypto",
        "status": "active",
        "symbol": "BTC/USD",
        "tradable": True,
        "fractionable": True,
        "shortable": True,
        "min_trade_increment": "0.000000001",
        "price_increment": "0.01",
    }
    equities = [
        {**equity, "easy_to_borrow": True},
        {**equity, "symbol": "BRK.B", "borrow_status": "easy_to_borrow", "fractionable": False},
        {**equity, "symbol": "GVH", "borrow_status": "hard_to_borrow"},
        {**equity, "symbol": "OLD", "easy_to_borrow": False, "tradable": False},
        {**equity, "symbol": "GONE", "status": "inactive"},
        {**equity, "symbol": "ODD", "tradable": None},
        {**equity, "symbol": "717ESC015"},
        {**equity, "symbol": "X", "class": "a_new_class"},
    ]
    pairs = [
        pair,
        {**pair, "symbol": "SHIB/USDT", "fractionable": False},
        {**pair, "symbol": "ETH/USD", "price_increment": None},
    ]
    with scripted([reply(200, json.dumps(equities)), reply(200, json.dumps(pairs))]) as (broker, server):
        got = broker.instruments()
    one, cent, tiny = Decimal(1), Decimal("0.01"), Decimal("1e-9")
    assert got == (
        Instrument("AAPL", "us_equity", True, True, True, one, cent),
        Instrument("BRK.B", "us_equity", True, False, True, one, cent),
        Instrument("BTC/USD", "crypto", True, True, False, tiny, cent),
        Instrument("GVH", "us_equity", True, True, False, one, cent),
        Instrument("OLD", "us_equity", False, True, False, one, cent),
        Instrument("SHIB/USDT", "crypto", True, False, False, tiny, cent),
    )
    assert [seen.path for seen in server.requests] == [
        "/v2/assets?status=active&asset_class=us_equity",
        "/v2/assets?status=active&asset_class=crypto",
    ]


def test_assets_of_which_nothing_is_understood_are_no_empty_list() -> None:
    with (
        scripted([reply(200, '[{"class":"stocks"}]')]) as (broker, _),
        pytest.raises(BrokerUnavailable, match="list of assets"),
    ):
        broker.instruments()


AT = "2026-11-20T15:35:00.5Z"
SNAPSHOTS = """{
 "AAPL": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 189.99, "ap": 190.01},
          "latestTrade": {"t": "2026-11-20T15:34:59Z", "p": 190.1}},
 "MSFT": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 0, "ap": 400.1},
          "latestTrade": {"t": "2026-11-20T15:35:01Z", "p": 4e2}},
 "NVDA": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 0, "ap": null},
          "latestTrade": {"t": "2026-11-20T15:30:00Z", "p": 0.1}},
 "HALT": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 0, "ap": 0}, "latestTrade": null},
 "NULL": null,
 "ODD": {"latestQuote": {"t": "yesterday", "bp": 1, "ap": 2}},
 "UNASKED": {"latestQuote": {"t": "2026-11-20T15:35:00.5Z", "bp": 1, "ap": 2}}
}"""
CRYPTO = '{"snapshots":{"BTC/USD":{"latestQuote":{"t":"2026-11-20T15:35:00.5Z","bp":61000.123456789,"ap":61001}}}}'


def test_quotes() -> None:
    asked = ["MSFT", "AAPL", "NVDA", "HALT", "NULL", "ODD", "GONE", "BTC/USD", "717ESC015", "AAPL"]
    with scripted([reply(200, SNAPSHOTS), reply(200, CRYPTO)]) as (broker, server):
        got = broker.quotes(asked)
    half, second = datetime(2026, 11, 20, 15, 35, 0, 500000, UTC), timedelta(seconds=1)
    assert got == (
        Quote("AAPL", Decimal("189.99"), Decimal("190.01"), Decimal("190.1"), half),
        Quote("BTC/USD", Decimal("61000.123456789"), Decimal(61001), None, half),
        Quote("MSFT", None, Decimal("400.1"), Decimal(400), half + second / 2),
        Quote("NVDA", None, None, Decimal("0.1"), datetime(2026, 11, 20, 15, 30, tzinfo=UTC)),
    )
    assert [seen.path for seen in server.requests] == [
        "/v2/stocks/snapshots?symbols=AAPL%2CGONE%2CHALT%2CMSFT%2CNULL%2CNVDA%2CODD&feed=iex",
        "/v1beta3/crypto/us/snapshots?symbols=BTC%2FUSD",
    ]


def test_quotes_of_nothing_ask_nothing() -> None:
    with scripted([]) as (broker, server):
        assert broker.quotes([]) == ()
    assert server.requests == []


def test_many_symbols_take_as_few_calls_as_urls_allow() -> None:
    names = [f"S{chr(65 + i % 26)}{chr(65 + i // 26 % 26)}{chr(65 + i // 676)}" for i in range(5000)]

    def snapshots(seen: Seen) -> Any:
        symbols = seen.path.partition("symbols=")[2].partition("&")[0].split("%2C")
        return {name: {"latestTrade": {"t": AT, "p": 1}} for name in symbols}

    with scripted([answer(snapshots)], repeat_last=True, read_timeout_seconds=5) as (broker, server):
        assert [quote.symbol for quote in broker.quotes(names)] == sorted(names)
    assert len(server.requests) == 3  # 5000 x 7 bytes
    assert all(len(seen.path) < 12_200 for seen in server.requests)


def test_a_symbol_that_the_data_host_rejects_costs_only_itself() -> None:
    rejected = reply(400, '{"message":"invalid symbol: NVDA"}')
    rest = json.dumps({name: row for name, row in json.loads(SNAPSHOTS).items() if name in ("AAPL", "MSFT")})
    with scripted([rejected, reply(200, rest)]) as (broker, server):
        assert [quote.symbol for quote in broker.quotes(["AAPL", "NVDA", "MSFT"])] == ["AAPL", "MSFT"]
    assert [seen.path.partition("symbols=")[2] for seen in server.requests] == [
        "AAPL%2CMSFT%2CNVDA&feed=iex",
        "AAPL%2CMSFT&feed=iex",
    ]


def test_daily_closes() -> None:
    def bar(at: str, close: Any) -> dict[str, Any]:
        return {"t": at, "o": 1, "h": 1, "l": 1, "c": close, "v": 1, "n": 1, "vw": None}

    stocks = [
        {
            "bars": {"AAPL": [bar("2026-11-17T05:00:00Z", 1.1), bar("2026-11-18T05:00:00Z", 1.2)]},
            "next_page_token": "p",
        },
        {
            "bars": {
                "AAPL": [bar("2026-11-19T05:00:00Z", 1.3), bar("2026-11-20T05:00:00Z", 9.9)],
                "MSFT": [bar("2026-11-18T05:00:00Z", 2.2), bar("2026-11-19T05:00:00Z", 0)],
            },
            "next_page_token": None,
        },
    ]
    crypto = {"bars": {"BTC/USD": [bar(f"2026-11-{day}T00:00:00Z", day) for day in range(15, 21)]}}
    steps = [reply(200, CLOCK), *[reply(200, json.dumps(page)) for page in (*stocks, crypto)]]
    with scripted(steps) as (broker, server):
        got = broker.daily_closes(["MSFT", "BTC/USD", "AAPL", "GONE"], 5)
    assert got.symbols == ("AAPL", "BTC/USD", "GONE", "MSFT")
    assert got.days == (date(2026, 11, 17), date(2026, 11, 18), date(2026, 11, 19))
    assert {name: [None if math.isnan(close) else close for close in row] for name, row in got.closes.items()} == {
        "AAPL": [1.1, 1.2, 1.3],
        "BTC/USD": [17.0, 18.0, 19.0],
        "GONE": [None, None, None],
        "MSFT": [None, 2.2, None],
    }
    first = "/v2/stocks/bars?symbols=AAPL%2CGONE%2CMSFT&timeframe=1Day&start=2026-11-05&end=2026-11-20&limit=10000"
    assert [seen.path for seen in server.requests[1:]] == [
        f"{first}&adjustment=all&feed=iex",
        f"{first}&adjustment=all&feed=iex&page_token=p",
        "/v1beta3/crypto/us/bars?symbols=BTC%2FUSD&timeframe=1Day&start=2026-11-05&end=2026-11-20&limit=10000",
    ]


def test_bars_whose_pages_repeat_are_no_bars() -> None:
    page = reply(200, '{"bars":{},"next_page_token":"p"}')
    with (
        scripted([reply(200, CLOCK), page], repeat_last=True) as (broker, _),
        pytest.raises(BrokerUnavailable, match="repeats"),
    ):
        broker.daily_closes(["AAPL"], 3)
