"""The course of a day: drawn when it can be seen, and said in words when its readings are too close together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from rebalancer.report.charting.records import DrawnChart, NoChart
from rebalancer.report.pictures import SPAN_LEAST, return_by_hour
from rebalancer.report.records import Point

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HOURS = ((OPEN, OPEN + timedelta(hours=6.5)),)


@given(st.lists(st.integers(0, 23_000), min_size=2, max_size=20, unique=True))
def test_a_line_that_could_not_be_seen_is_no_chart(seconds: list[int]) -> None:
    moments = [OPEN + timedelta(seconds=one) for one in sorted(seconds)]
    points = [Point(at, Decimal(100_000 + n), -0.001) for n, at in enumerate(moments)]
    drawn = return_by_hour("Return", points, Decimal(100_000), HOURS, ())
    if moments[-1] - moments[0] >= SPAN_LEAST:
        assert isinstance(drawn, DrawnChart)
    else:
        assert isinstance(drawn, NoChart)


def test_what_is_said_instead() -> None:
    points = [Point(OPEN, Decimal(100_000), 0.0), Point(OPEN + timedelta(seconds=2), Decimal(100_010), 0.0)]
    said = return_by_hour("Return", points, Decimal(100_000), HOURS, ())
    assert said == NoChart("Return", "Needs readings 10 min apart; these 2 are 2.00 s apart.")
