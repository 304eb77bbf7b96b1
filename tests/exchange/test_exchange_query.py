"""Query parameters that could be misread in silence: a time in the place of a date, and a name given twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.parameters import calendar_date
from rebalancer.exchange.starter import RunningExchange, start_exchange

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
CLOCKS = ("T00:00:00Z", "T23:59:59.999999999Z", "T00:00:00-05:00", "T23:59:59+14:00", "T04:00Z")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningExchange]:
    """A Tuesday, four days after the account was opened."""
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    options = ExchangeOptions(holdings="starter", rate_limit_per_minute=0, speed=0, partial_fill_probability=0)
    with start_exchange(options) as server:
        server.clock.advance(3 * 86_400)
        order = {"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
        server.exchange.submit(order)
        server.exchange.submit({**order, "symbol": "BTC/USD", "time_in_force": "gtc", "qty": "0.01"})
        server.clock.advance(86_400)
        yield server
    patch.undo()


def found(running: RunningExchange, path: str, *query: tuple[str, str]) -> Any:
    answer = requests.get(running.url + path, params=list(query), headers=KEYS, timeout=300)
    assert answer.status_code == 200, answer.text
    return answer.json()


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.sampled_from(["", *CLOCKS]))
def test_a_time_means_the_date_that_is_written(day: date, clock: str) -> None:
    assert calendar_date({"date": day.isoformat() + clock}, "date") == day


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v2/account/activities", {"date": "2026-11-23"}),
        ("/v2/account/activities/FILL", {"date": "2026-11-23"}),
        ("/v2/calendar", {"start": "2026-11-20", "end": "2026-11-27"}),
        ("/v3/calendar/NYSE", {"start": "2026-11-20", "end": "2026-11-27"}),
        ("/v2/account/portfolio/history", {"date_end": "2026-11-23", "period": "1W"}),
        (
            "/v2/corporate_actions/announcements",
            {"ca_types": "dividend", "since": "2026-12-01", "until": "2026-12-18"},
        ),
        ("/v1/corporate-actions", {"start": "2026-12-01", "end": "2026-12-18"}),
    ],
)
def test_a_time_in_the_place_of_a_date(running: RunningExchange, path: str, names: dict[str, str], clock: str) -> None:
    plain = found(running, path, *names.items())
    timed = {name: value + clock if value.startswith("2026") else value for name, value in names.items()}
    assert found(running, path, *timed.items()) == plain


def test_the_dates_of_the_issue(running: RunningExchange) -> None:
    fills = found(running, "/v2/account/activities", ("date", "2026-11-23T00:00:00Z"), ("activity_types", "FILL"))
    assert {(row["symbol"], row["transaction_time"][:10]) for row in fills} == {
        ("KO", "2026-11-23"), ("BTC/USD", "2026-11-23"),
    }  # fmt: skip
    days = found(running, "/v2/calendar", ("start", "2026-11-20T00:00:00Z"), ("end", "2026-11-24T00:00:00Z"))
    assert [row["date"] for row in days] == ["2026-11-20", "2026-11-23", "2026-11-24"]


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/v2/assets", "asset_class", ("us_equity", "crypto")),
        ("/v2/assets", "exchange", ("NYSE", "NASDAQ")),
        ("/v2/assets", "attributes", ("fractional_eh_enabled", "ipo")),
        ("/v2/orders?status=all", "symbols", ("KO", "BTC/USD")),
        ("/v2/orders?status=all", "asset_class", ("us_equity", "crypto")),
        ("/v2/account/activities", "activity_types", ("FILL", "CSD")),
        ("/v2/stocks/quotes/latest", "symbols", ("AAPL", "MSFT")),
        ("/v1beta3/crypto/us/snapshots", "symbols", ("BTC/USD", "ETH/USD")),
        ("/v3/clock", "markets", ("NYSE", "OTC")),
    ],
)
def test_a_name_given_twice_is_a_list(running: RunningExchange, path: str, name: str, values: tuple[str, ...]) -> None:
    listed = found(running, path, (name, ",".join(values)))
    assert found(running, path, *((name, value) for value in values)) == listed
    assert found(running, path, *((name, value) for value in (*values, "", values[0]))) == listed
    assert found(running, path, (name, values[-1])) != listed


def test_two_values_where_one_belongs_are_refused(running: RunningExchange) -> None:
    for query in ("status=open&status=all", "limit=1&limit=2", "direction=asc&direction=desc"):
        answer = requests.get(f"{running.url}/v2/orders?{query}", headers=KEYS, timeout=300)
        assert (answer.status_code, answer.json()["code"]) == (422, 40010001)
    assert requests.get(f"{running.url}/v2/orders?limit=1&limit=1", headers=KEYS, timeout=300).status_code == 200
