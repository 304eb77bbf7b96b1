"""What a chart shows is what its table says: shapes are read back from the page and compared with the cells."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rebalancer.report.charting.axis import days_axis
from rebalancer.report.charting.bars import Bin, Heads, RowBar, histogram, row_chart, waterfall_chart
from rebalancer.report.charting.drawing import POINTS_MAX, thinned
from rebalancer.report.charting.grids import heat_chart, kind_of, strongest
from rebalancer.report.charting.lines import Line, Lines, Marks, line_chart, sparkline, stacked_chart
from rebalancer.report.charting.points import Spot, scatter_chart
from rebalancer.report.charting.records import HEIGHT, WIDTH, DrawnChart, NoChart, needs

from .read_back import number_of, seen

START = date(2024, 1, 1)
HEADS = Heads("Name", "Value")
money = st.floats(-1e6, 1e6).map(lambda v: round(v, 2))
fraction = st.floats(-0.9, 3.0).map(lambda v: round(v, 4))
some = st.one_of(fraction, st.none())
STRENGTHS = [f"{side}{n}" for side in "hl" for n in range(5)]


def days(count: int) -> list[date]:
    return [START + timedelta(days=n) for n in range(count)]


def value(text: str) -> float | None:
    return None if text in ("–", "") else float(number_of(text))


@settings(max_examples=50)
@given(st.lists(st.tuples(some, some), min_size=2, max_size=900))
@example([(None, None), (0.5, None), (None, 0.25)])
def test_lines_are_their_columns(pairs: list[tuple[float | None, float | None]]) -> None:
    axis = days_axis(days(len(pairs)))
    panels = [Lines([Line("One", [a for a, _ in pairs])]), Lines([Line("Two", [b for _, b in pairs], filled=True)])]
    chart = line_chart("Lines", axis, panels)
    shown = [number for number in (0, 1) if any(pair[number] is not None for pair in pairs)]
    if not shown:
        assert isinstance(chart, NoChart)
        return
    page = seen(chart)
    rows = page.rows()
    assert [row[0] for row in rows] == [day.isoformat() for day in days(len(pairs))]
    for column, number in enumerate(shown):
        said = [value(row[column + 1] + " %") if row[column + 1] != "–" else None for row in rows]
        assert said == [None if v[number] is None else pytest.approx(v[number], abs=1e-12) for v in pairs]
        up = page.up(column)
        drawn = {x: up.value(y) for piece in page.shapes("first", column) for x, y in piece}
        places = {round(place * WIDTH): v for place, v in zip(axis.places, said, strict=True) if v is not None}
        assert all(abs(places[x] - v) <= up.unit * 0.51 for x, v in drawn.items())
        assert len(pairs) > POINTS_MAX or drawn.keys() == places.keys()
        known = [v for v in said if v is not None]
        for extreme in (min(known), max(known)):
            assert any(abs(v - extreme) <= up.unit * 0.51 for v in drawn.values())


series = st.lists(fraction, min_size=2, max_size=3000)


@given(series)
def test_thinning_keeps_both_ends_and_every_extreme_within_the_budget(line: list[float]) -> None:
    kept = thinned(line)
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    assert len(kept) <= POINTS_MAX
    values = [line[i] for i in kept]
    assert (min(values), max(values)) == (min(line), max(line))


def test_a_gap_breaks_the_line() -> None:
    page = seen(line_chart("Gap", days_axis(days(4)), [Lines([Line("One", [0.1, None, 0.2, math.nan])])]))
    assert [len(piece) for piece in page.shapes("first")] == [2, 2]  # a single value is a dot: a line without length
    assert [row[1] for row in page.rows()] == ["+10.00", "–", "+20.00", "–"]


def test_orders_are_marked_on_the_line_and_stand_in_the_table() -> None:
    marks = Marks([0, 3, 0], [1, 0, 0])
    page = seen(line_chart("Day", days_axis(days(3)), [Lines([Line("Return", [0.0, 0.01, 0.02])])], marks=marks))
    up = page.up()
    assert [(p[0][0], round(up.value(p[0][1]), 6)) for p in page.shapes("buy")] == [(800, 0.01)]
    assert [(p[0][0], round(up.value(p[0][1]), 6)) for p in page.shapes("sell")] == [(0, 0.0)]
    assert [row[2:] for row in page.rows()] == [["–", "1"], ["3", "–"], ["–", "–"]]
    assert page.head() == ["Day", "Return%", "Buys", "Sells"]


@settings(max_examples=25)
@given(st.integers(2, 60), st.integers(1, 12), st.data())
def test_a_stack_is_the_sum_of_its_columns(count: int, names: int, data: st.DataObject) -> None:
    share = st.floats(0, 0.4).map(lambda v: round(v, 3))
    columns = [data.draw(st.lists(share, min_size=count, max_size=count)) for _ in range(names)]
    chart = stacked_chart("Stack", days_axis(days(count)), [Line(f"S{n}", c, "share") for n, c in enumerate(columns)])
    if not any(map(any, columns)):
        columns = [[0.0] * count]
    assert isinstance(chart, DrawnChart)
    page = seen(chart)
    rows, up = page.rows(), page.up()
    top = {x: up.value(y) for x, y in page.shapes(f"s{min(names, 8) - 1}")[0][:count]}
    for number, place in enumerate(days_axis(days(count)).places):
        total = sum(float(number_of(f"{text} %")) for text in rows[number][1:])
        assert abs(top[round(place * WIDTH)] - total) <= up.unit * 0.51 + 0.0006 * names


@settings(max_examples=50)
@given(st.lists(st.tuples(money, money, money), min_size=1, max_size=40))
def test_rows_are_their_bars_and_marks(values: list[tuple[float, float, float]]) -> None:
    rows = [RowBar(f"N{n}", v, was, goal) for n, (v, was, goal) in enumerate(values)]
    page = seen(row_chart("Rows", rows, "usd", Heads("Name", "After", "Before", "Target")))
    across, middles = page.across(), [(n + 0.5) / len(rows) * HEIGHT for n in range(len(rows))]
    cells = page.rows()
    for column, kind in ((2, "was"), (3, "goal")):
        for row, middle, shape in zip(cells, middles, page.shapes(kind), strict=True):
            near(across.value(shape[0][0]), float(number_of(row[column])), across.unit)
            assert abs((shape[0][1] + shape[-1][1]) / 2 - middle) <= 1
    for row, shape in zip(cells, page.shapes("bar"), strict=True):
        ends = sorted((across.value(shape[0][0]), across.value(shape[1][0])))
        said = float(number_of(row[1]))
        near(ends[0], min(said, 0.0), across.unit)
        near(ends[1], max(said, 0.0), across.unit, units=2)  # a bar of nothing is one unit wide


def near(shown: float, said: float, unit: float, units: float = 0.51) -> None:
    assert abs(shown - said) <= unit * units + abs(said) * 1e-9


@given(st.lists(money, min_size=1, max_size=9))
def test_a_waterfall_goes_from_nothing_to_its_sum(values: list[float]) -> None:
    total = float(sum(Decimal(repr(v)) for v in values))
    steps = [RowBar(f"Step {n}", v) for n, v in enumerate(values)]
    page = seen(waterfall_chart("P&L", steps, "usd_signed", RowBar("Change", total), HEADS))
    across, rows = page.across(), page.rows()
    assert [row[0] for row in rows] == [*(s.name for s in steps), "Change"]
    shapes = sorted(page.shapes("gain") + page.shapes("loss") + page.shapes("bar"), key=lambda s: s[0][1])
    at = 0.0
    for row, shape in zip(rows, shapes, strict=True):
        step = float(number_of(row[1]))
        begin, end = (at, at + step) if row[0] != "Change" else (0.0, step)
        near(across.value(shape[0][0]), min(begin, end), across.unit, 1.1)
        near(across.value(shape[1][0]), max(begin, end), across.unit, 2.1)
        at += step
    near(at - float(number_of(rows[-1][1])), total, 1e-6, 1)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20))
def test_a_histogram_counts_what_its_table_counts(counts: list[int]) -> None:
    bins = [Bin((n - 3) * 0.005, (n - 2) * 0.005, count) for n, count in enumerate(counts)]
    chart = histogram("Returns", bins, "percent_signed", HEADS)
    if not any(counts):
        assert chart == NoChart("Returns", "There is nothing to count.")
        return
    page = seen(chart)
    up, rows = page.up(), page.rows()
    shapes = sorted(page.shapes("gain") + page.shapes("loss"))
    assert len(shapes) == sum(row[1] != "0" for row in rows)
    filled = [row for row in rows if row[1] != "0"]
    assert all(abs(up.value(s[0][1]) - float(row[1])) <= up.unit for row, s in zip(filled, shapes, strict=True))
    assert [row[1] for row in rows] == [str(count) for count in counts]
    assert rows[0][0] == "−1.50 % to −1.00 %"


@settings(max_examples=40)
@given(st.lists(st.lists(some, min_size=4, max_size=4), min_size=1, max_size=12))
def test_a_grid_has_the_colours_of_its_cells(values: list[list[float | None]]) -> None:
    columns = ["Jan", "Feb", "Mar", "Apr"]
    rows = [f"R{n}" for n in range(len(values))]
    chart = heat_chart("Heat", rows, columns, values, "percent_signed", head="Year")
    known = [v for row in values for v in row if v is not None]
    if not known:
        assert chart == needs("Heat", 1, 0)
        return
    page = seen(chart)
    said = [[value(f"{text} %" if text else "") for text in row[1:]] for row in page.rows()]
    assert said == [[None if v is None else pytest.approx(v, abs=1e-9) for v in row] for row in values]
    corners = {kind: {shape[0] for shape in page.shapes(kind)} for kind in STRENGTHS}
    for i, row in enumerate(said):
        for j, cell in enumerate(row):
            place = (round(j / 4 * WIDTH), round(i / len(rows) * HEIGHT))
            kinds = {kind for kind in STRENGTHS if place in corners[kind]}
            assert kinds == (set() if cell is None else {kind_of(values[i][j] or 0.0, strongest(known))})
    assert len(page.shapes("minus")) == sum(v < 0 for v in known)


def test_the_strengths_of_a_grid() -> None:
    assert [kind_of(v, 0.04) for v in (-0.5, -0.03, -0.0001, 0.0, 0.001, 0.011, 0.04)] == [
        "l4", "l3", "h0", "h0", "h1", "h2", "h4",
    ]  # fmt: skip
    assert strongest([-0.033, 0.02]) == 0.05


@given(st.lists(st.tuples(st.floats(0, 1e5).map(lambda v: round(v, 2)), st.floats(-50, 50).map(lambda v: round(v, 1)))))
def test_dots_are_their_rows(values: list[tuple[float, float]]) -> None:
    spots = [Spot(f"o{n}", a, b, "sell" if n % 2 else "buy") for n, (a, b) in enumerate(values)]
    chart = scatter_chart("Slippage", spots, ("usd", "cost_bp"), ("Order", "Value", "Slippage"))
    if not spots:
        assert isinstance(chart, NoChart)
        return
    page = seen(chart)
    across, up = page.across(), page.up()
    for kind, word in (("buy", "bought"), ("sell", "sold")):
        rows = [row for row in page.rows() if row[1] == word]
        for row, shape in zip(rows, page.shapes(kind), strict=True):
            near(across.value(shape[0][0]), float(number_of(row[2])), across.unit)
            near(up.value(shape[0][1]), float(number_of(row[3])), up.unit)


def test_too_little_data_says_what_is_needed() -> None:
    assert needs("Beta", 60, 12) == NoChart("Beta", "Needs 60 days; there are 12.")
    assert needs("Beta", 60, 0) == NoChart("Beta", "Needs 60 days; there is none.")
    one = line_chart("R", days_axis(days(1)), [Lines([Line("One", [0.1])])])
    assert one == NoChart("R", "Needs 2 days; there is 1.")


def test_a_sparkline() -> None:
    assert sparkline([1.0]) == sparkline([]) == ""
    assert sparkline([1.0, 2.0, 1.0]) == "M0 360l800 -320l800 320"
