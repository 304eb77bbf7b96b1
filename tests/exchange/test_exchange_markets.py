"""The clocks and calendars of /v3, and bad words in the parameters of reference data."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from rebalancer.exchange.calendar import MICROS
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.markets import get_clocks, get_market_calendar, phase_at
from rebalancer.exchange.records import get_calendar, get_clock, list_assets
from tests.exchange.helpers import INVALID, refused

NYSE = {"mic": "XNYS", "acronym": "NYSE", "name": "New York Stock Exchange", "timezone": "America/New_York"}


def clock(exchange: Exchange, time: str) -> dict[str, object]:
    (row,) = get_clocks(exchange, {"time": time})["clocks"]  # type: ignore[misc] # one row
    return row


@pytest.mark.parametrize(
    ("time", "phase", "until"),
    [
        ("2026-11-20T08:59:59Z", "closed", "2026-11-20T04:00:00-05:00"),
        ("2026-11-20T09:00:00Z", "pre", "2026-11-20T09:30:00-05:00"),
        ("2026-11-20T14:30:00Z", "core", "2026-11-20T16:00:00-05:00"),
        ("2026-11-20T21:00:00Z", "post", "2026-11-20T20:00:00-05:00"),
        ("2026-11-21T01:00:00Z", "closed", "2026-11-23T04:00:00-05:00"),
        ("2026-11-26T15:00:00Z", "closed", "2026-11-27T04:00:00-05:00"),  # Thanksgiving
        ("2026-11-27T18:00:00Z", "post", "2026-11-27T17:00:00-05:00"),  # the half day after it
        ("2026-07-01T12:00:00Z", "pre", "2026-07-01T09:30:00-04:00"),
    ],
)
def test_the_phases_of_a_day(exchange: Exchange, time: str, phase: str, until: str) -> None:
    row = clock(exchange, time)
    assert (row["phase"], row["phase_until"]) == (phase, until)


def test_a_whole_clock(exchange: Exchange) -> None:
    assert get_clocks(exchange, {}) == {
        "clocks": [
            {
                "market": NYSE, "timestamp": "2026-11-20T10:05:00-05:00", "is_market_day": True,
                "next_market_open": "2026-11-23T09:30:00-05:00", "next_market_close": "2026-11-20T16:00:00-05:00",
                "phase": "core", "phase_until": "2026-11-20T16:00:00-05:00",
            }
        ]
    }  # fmt: skip
    two = get_clocks(exchange, {"markets": "XNAS,OTC"})["clocks"]
    assert isinstance(two, list)
    assert [row["market"]["acronym"] for row in two] == ["NASDAQ", "OTC"]
    assert clock(exchange, "2026-11-22T15:00:00Z")["is_market_day"] is False


def test_phases_follow_each_other_and_agree_with_the_old_clock(exchange: Exchange) -> None:
    at, end = exchange.clock.micros(), exchange.clock.micros() + 30 * 86_400 * MICROS
    names = []
    while at < end:
        phase = phase_at(exchange.sessions, at)
        assert phase.until > at
        assert (phase.name == "core") == (exchange.sessions.current(at) is not None)
        names.append(phase.name)
        at = phase.until
    order = ["closed", "pre", "core", "post"]
    assert all((order.index(after) - order.index(before)) % 4 == 1 for before, after in pairwise(names))
    now = clock(exchange, "2026-11-20T15:05:00Z")
    assert {"timestamp": now["timestamp"], "is_open": now["phase"] == "core", "next_open": now["next_market_open"],
            "next_close": now["next_market_close"]} == get_clock(exchange)  # fmt: skip


def test_a_markets_calendar(exchange: Exchange) -> None:
    found = get_market_calendar(exchange, "NYSE", {"start": "2026-11-27", "end": "2026-11-27"})
    row = {
        "date": "2026-11-27", "settlement_date": "2026-11-30",
        "pre_start": "2026-11-27T04:00:00-05:00", "pre_end": "2026-11-27T09:30:00-05:00",
        "core_start": "2026-11-27T09:30:00-05:00", "core_end": "2026-11-27T13:00:00-05:00",
        "post_start": "2026-11-27T13:00:00-05:00", "post_end": "2026-11-27T17:00:00-05:00",
    }  # fmt: skip
    assert found == {"market": NYSE, "calendar": [row]}
    utc = get_market_calendar(exchange, "XNYS", {"start": "2026-11-27", "end": "2026-11-27", "timezone": "UTC"})
    assert utc["calendar"][0]["core_end"] == "2026-11-27T18:00:00Z"  # type: ignore[index] # a list of rows
    week = get_market_calendar(exchange, "IEX", {})["calendar"]
    assert isinstance(week, list)
    assert [day["date"] for day in week] == ["2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27"]


@pytest.mark.parametrize(
    "query", [{"timezone": "EST"}, {"start": "soon"}, {"start": "2026-11-27", "end": "2026-11-20"}]
)
def test_wrong_requests_of_calendars(exchange: Exchange, query: dict[str, str]) -> None:
    assert refused(lambda: get_market_calendar(exchange, "NYSE", query))[:2] == (400, 40010000)


def test_other_markets_and_times_are_refused(exchange: Exchange) -> None:
    assert refused(lambda: get_market_calendar(exchange, "LSE", {}))[:2] == (400, 40010000)
    assert refused(lambda: get_clocks(exchange, {"markets": "NYSE,LSE"}))[:2] == (400, 40010000)
    for time in ("soon", "1971-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
        assert refused(lambda time=time: get_clocks(exchange, {"time": time}))[:2] == (400, 40010000)


def test_the_calendar_by_settlement(exchange: Exchange) -> None:
    query = {"start": "2026-11-30", "end": "2026-11-30"}
    assert [row["date"] for row in get_calendar(exchange, query)] == ["2026-11-30"]
    assert [row["date"] for row in get_calendar(exchange, {**query, "date_type": "SETTLEMENT"})] == ["2026-11-27"]
    assert refused(lambda: get_calendar(exchange, {"date_type": "LUNCH"}))[:2] == (400, 40010000)
    whole = get_calendar(exchange, {})
    assert (whole[0]["date"], len(whole)) == ("2018-01-02", len(exchange.sessions.sessions) - 1)
    assert date.fromisoformat(str(whole[-1]["settlement_date"])).year == 2032


def test_assets_are_filtered_by_every_parameter(exchange: Exchange) -> None:
    def found(**query: str) -> set[object]:
        return {row["symbol"] for row in list_assets(exchange, query)}

    assert found(status="inactive") == {"TWTR"}
    assert found(asset_class="crypto") == {s for s in exchange.market.listings if s.endswith("/USD")} > {"BTC/USD"}
    assert found(asset_class="us_option") == set()
    assert found(exchange="ARCA") == found(exchange="NYSEARCA") > {"SPY", "VTI"}
    assert found(attributes="overnight_tradable") == found(status="active") - {"NVR"}
    assert found(attributes="ipo,has_options") == set()
    assert found(attributes="ipo,fractional_eh_enabled") == found(attributes="fractional_eh_enabled") != set()
    for name, value in (("status", "dead"), ("asset_class", "art"), ("exchange", "MARS"), ("attributes", "nice")):
        assert refused(lambda name=name, value=value: found(**{name: value})) == (
            422,
            INVALID,
            f"invalid {name}: {value}",
        )
