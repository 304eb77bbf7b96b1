"""The market data's own rate limit, its methods, and what it refuses without having changed anything."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

import pytest
import requests

from rebalancer.exchange.openapi.calls import CALLS
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.conformance.state import state_hash

KEYS: Final = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
DATA: Final = ("/v2/stocks", "/v1beta1", "/v1beta3", "/v1/corporate-actions")
PATHS: Final = sorted({path for call in CALLS if (path := call.partition(" ")[2]).startswith(DATA)})


@pytest.fixture(scope="module")
def still() -> Iterator[RunningExchange]:
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    with start_exchange(ExchangeOptions(rate_limit_per_minute=0, speed=0)) as server:
        yield server
    patch.undo()


def get(server: RunningExchange, path: str, **query: str) -> requests.Response:
    return requests.get(server.url + path, params=query, headers=KEYS, timeout=300)


def test_trading_and_data_are_counted_apart() -> None:
    with start_exchange(ExchangeOptions(rate_limit_per_minute=2, speed=0)) as server:
        calls = ("/v2/stocks/meta/exchanges", "/v2/clock", "/v1beta3/crypto/us/snapshots?symbols=BTC/USD",
                 "/v1/corporate-actions", "/v2/clock", "/v1beta1/screener/stocks/movers", "/v2/clock")  # fmt: skip
        answers = [get(server, path) for path in calls]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 200, 429, 429]
        left = [answer.headers["X-Ratelimit-Remaining"] for answer in answers]
        assert left == ["1", "1", "0", "0", "0", "0", "0"]
        assert {answer.headers["X-Ratelimit-Limit"] for answer in answers} == {"2"}
        assert answers[3].json() == {"message": "too many requests."}
        assert answers[6].json() == {"code": 42910000, "message": "rate limit exceeded"}
        asked_at = parsedate_to_datetime(answers[3].headers["Date"]).timestamp()
        assert 0 < int(answers[3].headers["X-Ratelimit-Reset"]) - asked_at <= 62


@pytest.mark.parametrize("path", PATHS)
def test_data_takes_get_only(still: RunningExchange, path: str) -> None:
    before = state_hash(still.exchange)
    for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE"):
        answer = requests.request(method, still.url + path.replace("{", "").replace("}", ""), headers=KEYS, timeout=300)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET"), method
        assert method == "HEAD" or answer.json() == {"code": 40510000, "message": "method not allowed"}
    assert state_hash(still.exchange) == before


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/v2/stocks/AAPL/trades/latest", {"feed": "moon"}, "invalid feed: moon"),
        ("/v2/stocks/AAPL/snapshot", {"currency": "EUR"}, "invalid currency: EUR"),
        ("/v2/stocks/AAPL/bars", {"timeframe": ""}, "invalid timeframe: "),
        ("/v2/stocks/AAPL/bars", {"timeframe": "1Day", "adjustment": "spin"}, "invalid adjustment: spin"),
        ("/v2/stocks/trades", {"symbols": "AAPL", "limit": "0"}, "invalid limit: 0"),
        ("/v2/stocks/quotes", {"symbols": ","}, "symbols is required"),
        ("/v2/stocks/auctions", {"symbols": "AAPL", "sort": "ASC"}, "invalid sort: ASC"),
        ("/v1beta3/crypto/us/trades", {"symbols": "BTC/USD", "start": "2026-11-21", "end": "2026-11-20"},
         "end should not be before start"),
        ("/v1beta3/crypto/us/latest/orderbooks", {"symbols": "btc/usd"},
         "invalid symbol: btc/usd does not match ^[A-Z]+x?/[A-Z]+$"),
        ("/v1beta1/crypto/BTCUSD/bars", {"timeframe": "1Day", "exchanges": "CBSE,MOON"},
         "invalid exchanges: CBSE,MOON"),
        ("/v1beta1/screener/stocks/most-actives", {"top": "101"},
         "invalid top: larger than the allowed maximum of 100"),
        ("/v1beta1/screener/stocks/most-actives", {"by": "looks"}, "invalid by: looks"),
        ("/v1beta1/screener/bonds/movers", {}, "invalid market_type: bonds"),
        ("/v2/stocks/meta/conditions/trade", {"tape": "D"}, "invalid tape: D"),
        ("/v1/corporate-actions", {"start": "2026-11-20T00:00:00"},
         "Invalid format for parameter start: 2026-11-20T00:00:00 is not a date"),
        ("/v1/corporate-actions", {"start": "2026-11-21", "end": "2026-11-20"}, "end should not be before start"),
        ("/v1/corporate-actions", {"ids": "a", "symbols": "KO"}, "ids cannot be combined with other filters"),
        ("/v1/corporate-actions", {"limit": "1001"}, "invalid limit: larger than the allowed maximum of 1000"),
        ("/v1/corporate-actions", {"page_token": "QUFQTHw5"}, "invalid page_token"),
    ],
)  # fmt: skip
def test_refusals(still: RunningExchange, path: str, query: dict[str, str], message: str) -> None:
    before = state_hash(still.exchange)
    answer = get(still, path, **query)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
    assert state_hash(still.exchange) == before


def test_a_symbol_in_the_path_is_one_symbol(still: RunningExchange) -> None:
    for odd in ("AAPL,MSFT", "A%23B", "%3F", "..%2f..", "%00", "AAPL%20"):
        answer = get(still, f"/v2/stocks/{odd}/bars", timeframe="1Day")
        assert answer.status_code in (200, 404), odd
        if answer.status_code == 200 and odd != "AAPL%20":
            assert answer.json()["bars"] == []
    assert get(still, "/v2/stocks/BTC%2FUSD/snapshot").status_code == 404


def test_an_absent_start_in_the_future_is_no_mistake(still: RunningExchange) -> None:
    answer = get(still, "/v2/stocks/AAPL/bars", timeframe="1Day", start="2027-01-01")
    assert answer.json() == {"bars": [], "symbol": "AAPL", "next_page_token": None}
