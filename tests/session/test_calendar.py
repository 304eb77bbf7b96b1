"""The slots of days: counts, ids, both clock changes, half days, holidays, and two calendars that disagree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.brokers.protocol import TradingHours
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.rules import Rules
from rebalancer.market_data.trading_calendar import hours_of, narrowed, published_hours, trading_day
from rebalancer.session.hours import Hours
from tests.session.simulated import PUBLISHED, at

GOLDEN = {  # day: (first slot, last slot, how many); UTC, both clock changes and the half days of a year
    "2026-03-06": ("2026-03-06T14:30Z", "2026-03-06T20:55Z", 78),
    "2026-03-09": ("2026-03-09T13:30Z", "2026-03-09T19:55Z", 78),
    "2026-10-30": ("2026-10-30T13:30Z", "2026-10-30T19:55Z", 78),
    "2026-11-02": ("2026-11-02T14:30Z", "2026-11-02T20:55Z", 78),
    "2026-11-27": ("2026-11-27T14:30Z", "2026-11-27T17:55Z", 42),
    "2026-12-24": ("2026-12-24T14:30Z", "2026-12-24T17:55Z", 42),
}


@pytest.mark.parametrize("day", GOLDEN)
def test_slots_of_special_days(day: str) -> None:
    found = trading_day(
        date.fromisoformat(day), hours_of(date.fromisoformat(day), PUBLISHED), 5, around_the_clock=False
    )
    assert (found.slots[0].id, found.slots[-1].id, len(found.slots)) == GOLDEN[day]
    assert len({slot.id for slot in found.slots}) == len(found.slots)


def test_a_year_has_the_sessions_that_the_exchange_publishes() -> None:
    year = [h for h in PUBLISHED if h.day.year == 2026]
    closed = {date(2026, 1, 1), date(2026, 1, 19), date(2026, 2, 16), date(2026, 4, 3), date(2026, 5, 25),
              date(2026, 6, 19), date(2026, 7, 3), date(2026, 9, 7), date(2026, 11, 26),
              date(2026, 12, 25)}  # fmt: skip
    weekdays = {d for d in (date(2026, 1, 1) + timedelta(days=n) for n in range(365)) if d.weekday() < 5}
    assert {h.day for h in year} == weekdays - closed
    short = [h.day for h in year if h.close - h.open < timedelta(hours=6)]
    assert short == [date(2026, 11, 27), date(2026, 12, 24)]


def test_around_the_clock_a_day_has_its_23_24_or_25_hours() -> None:
    counts = {}
    for day in ("2026-03-08", "2026-03-09", "2026-11-01", "2026-11-27"):
        on = date.fromisoformat(day)
        found = trading_day(on, hours_of(on, PUBLISHED), 5, around_the_clock=True)
        counts[day] = (len(found.slots), sum(slot.crypto_only for slot in found.slots))
        assert list(found.slots) == sorted(found.slots, key=lambda slot: slot.at)
    assert counts == {
        "2026-03-08": (276, 276),
        "2026-03-09": (288, 210),
        "2026-11-01": (300, 300),
        "2026-11-27": (288, 246),
    }


@given(st.dates(date(2026, 1, 2), date(2026, 12, 30)), st.integers(1, 390), st.booleans())
def test_slots_lie_in_their_day_are_in_order_and_have_their_own_ids(day: date, minutes: int, always: bool) -> None:
    hours = hours_of(day, PUBLISHED)
    found = trading_day(day, hours, minutes, around_the_clock=always)
    assert [slot.at for slot in found.slots] == sorted({slot.at for slot in found.slots})
    assert len({slot.id for slot in found.slots}) == len(found.slots)
    for slot in found.slots:
        assert slot.at.astimezone(ZoneInfo("America/New_York")).date() == day
        inside = hours is not None and hours.open <= slot.at < hours.close
        assert inside is not slot.crypto_only
    if hours is None and not always:
        assert found.slots == ()


def test_closed_wins_when_two_calendars_disagree() -> None:
    day, other = date(2026, 11, 20), date(2026, 11, 23)
    full = TradingHours(day, at("2026-11-20T14:30"), at("2026-11-20T21:00"))
    half = full._replace(close=at("2026-11-20T18:00"))
    late = full._replace(open=at("2026-11-20T15:30"))
    more = TradingHours(other, at("2026-11-23T14:30"), at("2026-11-23T21:00"))
    assert narrowed([full], [half]) == (half,)
    assert narrowed([half], [full]) == (half,)
    assert narrowed([late], [half]) == (half._replace(open=late.open),)
    assert narrowed([full, more], [full]) == (full,)
    assert narrowed([full], [full, more]) == (full,)
    assert narrowed([late._replace(open=at("2026-11-20T19:00"))], [half]) == ()


def test_without_the_brokers_calendar_the_published_one_counts() -> None:
    def silent(first: date, last: date) -> tuple[TradingHours, ...]:
        raise BrokerUnavailable("no answer")

    hours = Hours(silent, Rules(), published_hours)
    assert len(hours.day(date(2026, 11, 27)).slots) == 42
    assert hours.next_open(datetime(2026, 11, 26, 12, tzinfo=UTC)) == at("2026-11-27T14:30")
    assert not hours.is_open(at("2026-11-26T15:00"))
    assert hours.is_open(at("2026-11-27T14:30"))
    assert not hours.is_open(at("2026-11-27T18:00"))
