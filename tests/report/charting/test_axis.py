"""The laws of the common axis: labels that differ and never touch, and places in the hours of the market."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.report.charting.axis import (
    BESIDE,
    NARROW,
    WIDE,
    Axis,
    MarketHours,
    days_axis,
    extent,
    hours_axis,
    market_hours,
    names_axis,
)

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SESSION = (OPEN, OPEN + timedelta(hours=6, minutes=30))
NEXT = (OPEN + timedelta(days=3), OPEN + timedelta(days=3, hours=6, minutes=30))


def weekdays(first: date, count: int) -> list[date]:
    found: list[date] = []
    while len(found) < count:
        if first.weekday() < 5:
            found.append(first)
        first += timedelta(days=1)
    return found


def keeps_apart(axis: Axis) -> None:
    """The labels of a wide and of a narrow picture, by their geometry."""
    for width, ticks in ((WIDE, axis.ticks), (NARROW, [t for t in axis.ticks if not t.minor])):
        spans = [extent(tick, width - BESIDE) for tick in ticks]
        assert all(after[0] > before[1] for before, after in pairwise(spans))
        assert all(low >= -BESIDE and high <= width - BESIDE + 1.3 for low, high in spans)  # 16 px is the page's margin
    assert len({tick.text for tick in axis.ticks}) == len(axis.ticks)
    assert [tick.at for tick in axis.ticks] == sorted(tick.at for tick in axis.ticks)


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(1, 3000))
def test_labels_of_days_differ_and_never_touch(first: date, count: int) -> None:
    axis = days_axis(weekdays(first, count))
    keeps_apart(axis)
    assert count < 2 or len([tick for tick in axis.ticks if not tick.minor]) >= 2
    assert axis.names == tuple(day.isoformat() for day in weekdays(first, count))
    assert list(axis.places) == sorted(axis.places)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(1, 60 * 24 * 20))
def test_labels_of_hours_differ_and_never_touch(begin: datetime, minutes: int) -> None:
    first = begin.replace(tzinfo=UTC)
    market = MarketHours(((first, first + timedelta(minutes=minutes)),))
    keeps_apart(hours_axis([first], market))


@given(st.lists(st.text("ABCDEFGH", min_size=1, max_size=6), min_size=1, max_size=120, unique=True))
def test_labels_of_names_never_touch(names: list[str]) -> None:
    keeps_apart(names_axis("Name", names))


@pytest.mark.parametrize(
    ("count", "texts"),
    [
        (2, ["01-01", "01-02"]),
        (108, ["2024-02", "2024-03", "2024-04", "2024-05"]),
        (350, ["2024-04", "2024-07", "2024-10", "2025-01", "2025-04"]),
        (1500, ["2025", "2026", "2027", "2028", "2029"]),
    ],
)
def test_the_labels_of_days(count: int, texts: list[str]) -> None:
    assert [tick.text for tick in days_axis(weekdays(date(2024, 1, 1), count)).ticks] == texts


def test_a_session_is_labelled_by_its_hours() -> None:
    moments = [OPEN + timedelta(minutes=5 * n) for n in range(78)]
    axis = hours_axis(moments, market_hours(moments, [SESSION]))
    assert [t.text for t in axis.ticks] == ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "16:00"]
    assert [t.text for t in axis.ticks if not t.minor] == ["10:00", "12:00", "14:00", "16:00"]
    assert axis.ticks[0].at == round(30 / 390 * 100, 2)
    assert (axis.names[0], axis.names[-1]) == ("09:30", "15:55")
    assert (axis.places[0], axis.places[39]) == (0.0, 0.5)


def test_the_clock_of_new_york_also_in_summer() -> None:
    june = datetime(2026, 6, 15, 13, 30, tzinfo=UTC)
    axis = hours_axis([june], market_hours([june], [(june, june + timedelta(hours=6.5))]))
    assert axis.names == ("09:30",)
    assert axis.ticks[0].text == "10:00"


def test_nights_and_weekends_have_no_width() -> None:
    moments = [SESSION[0], SESSION[1], NEXT[0], NEXT[1]]
    axis = hours_axis(moments, market_hours(moments, [NEXT, SESSION]))
    assert axis.places == (0.0, 0.5, 0.5, 1.0)
    assert [t.text for t in axis.ticks] == ["Fri 20", "Mon 23"]
    assert axis.names[0] == "Fri 2026-11-20 09:30"


def test_a_moment_outside_the_hours_stands_at_their_edge() -> None:
    market = MarketHours((SESSION, NEXT))
    assert market.place(SESSION[0] - timedelta(hours=1)) == 0.0
    assert market.place(SESSION[1] + timedelta(hours=9)) == 0.5
    assert market.place(NEXT[1] + timedelta(hours=9)) == 1.0
    assert MarketHours(()).place(OPEN) == 0.0


def test_without_a_session_for_every_day_the_time_itself_is_the_axis() -> None:
    moments = [SESSION[0], NEXT[0]]
    assert market_hours(moments, [SESSION]) == MarketHours(((SESSION[0], NEXT[0]),))
    assert market_hours([], []) == MarketHours(())
