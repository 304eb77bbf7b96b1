"""The geometry of the charts: what a line keeps when it is thinned, and where its axes lie."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.report.period.charts import HEIGHT, POINTS_MAX, WIDTH, Tick, chart, chart_of_moments, thinned

START = date(2024, 1, 1)


def days(count: int) -> list[date]:
    return [START + timedelta(days=i) for i in range(count)]


def points(path: str) -> list[tuple[int, int]]:
    """The corners of a path, absolute."""
    found: list[tuple[int, int]] = []
    for kind, x, y in re.findall(r"([Ml])(-?\d+) (-?\d+)", path):
        last = found[-1] if kind == "l" else (0, 0)
        found.append((last[0] + int(x), last[1] + int(y)))
    return found


def test_a_small_chart_whole() -> None:
    drawn = chart(days(3), [[1.0, 1.1, 0.9]], base=1.0)
    assert drawn is not None
    assert points(drawn.paths[0]) == [(0, 200), (800, 0), (1600, 400)]
    assert drawn.rows == (
        Tick("−10 %", 100.0), Tick("−5 %", 75.0), Tick("0 %", 50.0), Tick("+5 %", 25.0), Tick("+10 %", 0.0),
    )  # fmt: skip
    assert [c.text for c in drawn.columns] == ["01-01", "01-02", "01-03"]
    assert drawn.zero == 200.0


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_days_are_no_chart(count: int) -> None:
    assert chart(days(count), [[1.0] * count]) is None


def test_lines_without_a_value_or_of_another_length_are_no_chart() -> None:
    assert chart(days(2), [[None, float("nan")]]) is None
    assert chart(days(2), [[1.0]]) is None


def test_a_gap_breaks_the_line() -> None:
    drawn = chart(days(4), [[1.0, None, 2.0, 3.0]])
    assert drawn is not None
    assert drawn.paths[0].count("M") == 2


series = st.lists(st.floats(-0.9, 3.0), min_size=2, max_size=3000)


@given(series)
def test_thinning_keeps_both_ends_and_every_extreme_within_the_budget(line: list[float]) -> None:
    kept = thinned(line)
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    assert len(kept) <= POINTS_MAX
    values = [line[i] for i in kept]
    assert (min(values), max(values)) == (min(line), max(line))


@given(series)
def test_a_line_stays_inside_the_picture_and_touches_no_side_wrongly(line: list[float]) -> None:
    drawn = chart(days(len(line)), [line], base=1.0)
    assert drawn is not None
    corners = points(drawn.paths[0])
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners)
    assert (corners[0][0], corners[-1][0]) == (0, WIDTH)
    assert [x for x, _ in corners] == sorted(x for x, _ in corners)
    assert 2 <= len(drawn.rows) <= 8
    assert [t.at for t in drawn.rows] == sorted((t.at for t in drawn.rows), reverse=True)


@pytest.mark.parametrize(
    ("count", "texts"),
    [
        (2, ["01-01", "01-02"]),
        (150, ["2024-02", "2024-03", "2024-04", "2024-05"]),
        (500, ["2024-02", "2024-05", "2024-08", "2024-11", "2025-02", "2025-05"]),
        (1500, ["2025", "2026", "2027", "2028"]),
    ],
)
def test_the_days_below_the_picture(count: int, texts: list[str]) -> None:
    drawn = chart(days(count), [[float(i) for i in range(count)]])
    assert drawn is not None
    assert [c.text for c in drawn.columns] == texts


def test_a_day_is_drawn_by_its_hours() -> None:
    moments = [datetime(2026, 11, 20, 14, 30, tzinfo=UTC) + timedelta(minutes=5 * n) for n in range(78)]
    drawn = chart_of_moments(moments, [1.0 + n / 10_000 for n in range(78)])
    assert drawn is not None
    assert [t.text for t in drawn.columns] == ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00"]
    assert drawn.columns[0].at == round(6 / 77 * 100, 1)
    assert (drawn.rows[0].text, drawn.rows[-1].text) == ("0 %", "+0.8 %")
    assert chart_of_moments(moments[:1], [1.0]) is None


def test_plain_numbers_have_no_unit() -> None:
    drawn = chart([date(2026, 11, n) for n in (2, 3, 4)], [[-1.0, 0.5, 2.0]], unit="")
    assert drawn is not None
    assert [t.text for t in drawn.rows] == ["−1", "0", "1", "2"]
