"""Bars of a broker become prices: known at their ends, and of regular sessions alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.brokers.protocol import PriceBar, Timeframe
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.new_york import in_new_york
from rebalancer.market_data.trading_calendar import published_hours
from rebalancer.research.broker_bars import BARS_A_PART, WIDTHS, days_in_parts, prices_of_bars
from rebalancer.research.price_files import PriceHistory

LATER = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = published_hours(date(2025, 11, 1), date(2025, 12, 31))


def bars_at(*begins: str) -> list[PriceBar]:
    return [
        PriceBar(datetime.fromisoformat(at), 10 + n, 12 + n, 9 + n, 11 + n, 100, 10.5) for n, at in enumerate(begins)
    ]


def prices(begins: list[str], timeframe: Timeframe, now: datetime = LATER) -> PriceHistory:
    return prices_of_bars([{"A": bars_at(*begins)}], timeframe, HOURS, now, "the broker")


def stamps(history: PriceHistory) -> list[str]:
    return [f"{at}Z" for at in np.datetime_as_string(history.market.times.view("datetime64[ns]"), unit="m").tolist()]


def left_out(history: PriceHistory) -> tuple[int, int]:
    return history.counts["bars_outside_sessions"], history.counts["bars_not_complete"]


def test_every_column_of_a_bar() -> None:
    market = prices(["2025-11-20T14:30Z", "2025-11-20T14:35Z"], "5Min").market
    assert (market.symbols, market.day.tolist()) == (("A",), [date(2025, 11, 20).toordinal()] * 2)
    columns = (market.open, market.high, market.low, market.close, market.volume, market.vwap)
    assert [None if one is None else one[:, 0].tolist() for one in columns] == [
        [10, 11], [12, 13], [9, 10], [11, 12], [100, 100], [10.5, 10.5],
    ]  # fmt: skip


def test_bars_outside_the_session_are_counted() -> None:
    found = prices(["2025-11-20T14:25Z", "2025-11-20T14:30Z", "2025-11-20T20:55Z", "2025-11-20T21:00Z"], "5Min")
    assert (stamps(found), left_out(found)) == (["2025-11-20T14:35Z", "2025-11-20T21:00Z"], (2, 0))
    assert found.warnings == ("2 bars are not wholly inside a regular session and are left out",)


def test_a_half_day_ends_at_one_and_a_holiday_has_no_bars() -> None:
    found = prices(["2025-11-27T15:00Z", "2025-11-28T17:45Z", "2025-11-28T18:00Z"], "15Min")
    assert (stamps(found), left_out(found)) == (["2025-11-28T18:00Z"], (2, 0))


def test_an_hour_that_begins_before_the_open_is_left_out() -> None:
    found = prices(["2025-11-20T14:00Z", "2025-11-20T15:00Z", "2025-11-20T20:00Z"], "1Hour")
    assert (stamps(found), left_out(found)) == (["2025-11-20T16:00Z", "2025-11-20T21:00Z"], (1, 0))


def test_days_stand_for_the_close_as_in_files() -> None:
    found = prices(["2025-11-26T05:00Z", "2025-11-27T05:00Z", "2025-11-28T05:00Z"], "1Day")
    assert (found.is_daily, stamps(found)) == (True, ["2025-11-26T21:00Z", "2025-11-28T21:00Z"])
    assert left_out(found) == (1, 0)


@pytest.mark.parametrize(
    ("timeframe", "begins", "now"),
    [
        ("5Min", ["2025-11-20T14:30Z", "2025-11-20T14:35Z"], "2025-11-20T14:39:59Z"),
        ("1Day", ["2025-11-19T05:00Z", "2025-11-20T05:00Z"], "2025-11-20T23:00Z"),
    ],
)
def test_a_bar_that_has_not_ended_is_left_out(timeframe: Timeframe, begins: list[str], now: str) -> None:
    found = prices(begins, timeframe, datetime.fromisoformat(now))
    assert (len(found.market.times), left_out(found)) == (1, (0, 1))
    assert found.warnings == ("1 bars had not ended and are left out",)


def test_nothing_left_says_what_was_left_out() -> None:
    with pytest.raises(BrokerUnavailable, match=r"has no 5Min bars .* \(1 outside regular sessions, 0 not complete\)"):
        prices(["2025-11-22T15:00Z"], "5Min")


@settings(max_examples=60, deadline=None)
@given(
    timeframe=st.sampled_from([one for one in get_args(Timeframe) if one != "1Day"]),
    offsets=st.sets(st.integers(0, 40 * 24 * 60), min_size=1, max_size=60),
    now=st.integers(0, 40 * 24 * 60),
)
def test_no_bar_is_known_before_its_end_or_outside_a_session(timeframe: Timeframe, offsets: set[int], now: int) -> None:
    start, width = datetime(2025, 11, 10, tzinfo=UTC), WIDTHS[timeframe]
    begins = sorted({start + timedelta(minutes=n) // width * width for n in offsets})
    moment = start + timedelta(minutes=now)
    expected = []
    for at in begins:
        local, until = in_new_york(at), in_new_york(at + width)
        close = "13:00" if local.date() in (date(2025, 11, 28), date(2025, 12, 24)) else "16:00"
        is_open = local.weekday() < 5 and local.date() != date(2025, 11, 27)
        inside = "09:30" <= f"{local:%H:%M}" < close and f"{until:%H:%M}" <= close
        if is_open and inside and at + width <= moment:
            expected.append(f"{at + width:%Y-%m-%dT%H:%MZ}")
    bars = bars_at(*(at.isoformat() for at in begins))
    if not expected:
        with pytest.raises(BrokerUnavailable):
            prices_of_bars([{"A": bars[:3]}, {"A": bars[3:]}], timeframe, HOURS, moment, "the broker")
        return
    found = prices_of_bars([{"A": bars[:3]}, {"A": bars[3:]}], timeframe, HOURS, moment, "the broker")
    assert stamps(found) == expected
    assert sum(left_out(found)) == len(begins) - len(expected)


@given(st.dates(), st.integers(0, 4000), st.integers(0, 20_000), st.sampled_from(get_args(Timeframe)))
def test_parts_are_all_days_once_and_bounded(first: date, days: int, names: int, timeframe: Timeframe) -> None:
    last = min(first, date(2100, 1, 1)) + timedelta(days=days)
    first = min(first, last)
    found = list(days_in_parts(first, last, names, timeframe))
    assert (found[0][0], found[-1][1]) == (first, last)
    assert all(nxt[0] - part[1] == timedelta(days=1) for part, nxt in pairwise(found))
    a_day = {"1Min": 960, "5Min": 192, "15Min": 64, "1Hour": 16, "1Day": 1}[timeframe] * names
    assert all(since == until or ((until - since).days + 1) * a_day <= BARS_A_PART for since, until in found)
