"""Lines over time: panels on a common axis, areas, marks of orders on a line, stacks of shares, sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from rebalancer.report.charting.axis import Axis
from rebalancer.report.charting.drawing import Values, area, area_to, corner, dot, known, pieces, stroke
from rebalancer.report.charting.records import (
    HEIGHT,
    Cell,
    Charted,
    DataTable,
    DrawnChart,
    KeyEntry,
    NoChart,
    Panel,
    Path,
    Size,
    Tick,
    needs,
)
from rebalancer.report.charting.scale import UNITS, Scale, scale_of
from rebalancer.report.figures.figure import FORMS, Form

LINE_KINDS: Final = ("first", "second", "third", "fourth")
STACK_KINDS: Final = 8  # colours; what comes after the seventh is shown together
STACK_POINTS: Final = 150  # places of a stack that are drawn
LOW_INTERVALS: Final = 3


class Line(NamedTuple):
    """One line: its name, one value per place of the axis (None breaks it), how it is written, and whether the surface
    to zero is filled. `figures` are the ids of the figures that its values are, in the same order."""

    name: str
    values: Values
    form: Form = "percent_signed"
    filled: bool = False
    figures: Sequence[str] = ()


class Lines(NamedTuple):
    """The lines of one panel, on one scale."""

    lines: Sequence[Line]
    name: str = ""
    size: Size = "tall"
    plus: str = "+"


class Marks(NamedTuple):
    """How many orders were bought and sold by each place, marked on the first line of the first panel."""

    buys: Sequence[int]
    sells: Sequence[int]


def line_chart(
    title: str, axis: Axis, panels: Sequence[Lines], *, least: int = 2, marks: Marks | None = None, unit: str = "day"
) -> Charted:
    """Draw lines over an axis, panels one below the other; panels without a value are left out.

    least: how many values a chart needs; unit: what they are called.
    """
    shown = [panel for panel in panels if any(known(line.values) for line in panel.lines)]
    if not shown or len(axis.places) < least:
        return needs(title, least, len(axis.places), unit)
    drawn = [_panel(axis, panel, marks if number == 0 else None) for number, panel in enumerate(shown)]
    lines = [line for panel in shown for line in panel.lines if known(line.values)]
    return DrawnChart(
        title=title,
        text=". ".join(_described(line, axis) for line in lines) + ".",
        panels=tuple(drawn),
        columns=axis.ticks,
        table=_table(axis, lines, marks),
        key=_key(shown, marks),
    )


def stacked_chart(title: str, axis: Axis, series: Sequence[Line], *, least: int = 2, unit: str = "day") -> Charted:
    """Draw series, zero or more, one on top of the other; a missing value counts as zero. The largest lie lowest."""
    ranked = sorted(series, key=lambda line: (-sum(known(line.values)), line.name))
    if not any(known(line.values) for line in ranked) or len(axis.places) < least:
        return needs(title, least, len(axis.places), unit)
    shown = _with_rest(ranked)
    layers = [[max(value or 0.0, 0.0) for value in line.values] for line in shown]
    sums = list(accumulate(layers, lambda below, own: [a + b for a, b in zip(below, own, strict=True)]))
    scale = scale_of(sums[-1], plus="", unit=UNITS.get(ranked[0].form, ""))
    last = len(axis.places) - 1
    drawn = sorted({round(n * last / min(STACK_POINTS, last)) for n in range(min(STACK_POINTS, last) + 1)})
    levels = [[0.0] * len(axis.places), *sums]
    corners = [[corner(axis.places[i], scale.from_top(level[i])) for i in drawn] for level in levels]
    paths = [Path(f"s{n}", area(corners[n + 1], corners[n])) for n in range(len(shown))]
    return DrawnChart(
        title=title,
        text=". ".join(_described(line, axis) for line in shown) + ".",
        panels=(Panel(ticks_of(scale), tuple(paths), round(scale.from_top(0.0) * 100, 2)),),
        columns=axis.ticks,
        table=_table(axis, ranked, None),
        key=tuple(KeyEntry(f"s{n}", line.name) for n, line in enumerate(shown)),
    )


def sparkline(values: Values) -> str:
    """Path data of a small line without axes on its own scale; "" for fewer than two values."""
    found = known(values)
    if len(found) < 2:
        return ""
    low, span = min(found), (max(found) - min(found)) or 1.0
    places = [number / (len(values) - 1) for number in range(len(values))]
    tops = [None if v is None else 0.9 - 0.8 * (v - low) / span for v in values]
    return "".join(stroke(piece) for piece in pieces(values, places, tops))


def ticks_of(scale: Scale) -> tuple[Tick, ...]:
    """The ticks of a scale, from the lowest upwards."""
    places = [scale.from_top(float(tick)) for tick in scale.ticks]
    return tuple(Tick(text, round(at * 100, 2)) for text, at in zip(scale.labels, places, strict=True))


def _panel(axis: Axis, panel: Lines, marks: Marks | None) -> Panel:
    values = [value for line in panel.lines for value in known(line.values)]
    unit = UNITS.get(panel.lines[0].form, "")
    intervals = {"intervals": LOW_INTERVALS} if panel.size == "low" else {}
    scale = scale_of(values, plus=panel.plus, unit=unit, **intervals)
    zero = scale.from_top(0.0)
    paths: list[Path] = []
    for number, line in reversed(list(enumerate(panel.lines))):
        tops = [None if value is None else scale.from_top(value) for value in line.values]
        broken = pieces(line.values, axis.places, tops)
        if line.filled:
            filled = "".join(area_to(piece, round(zero * HEIGHT)) for piece in broken)
            paths.append(Path(f"{LINE_KINDS[number]} fill", filled))
        paths.append(Path(LINE_KINDS[number], "".join(stroke(piece) for piece in broken)))
    if marks is not None:
        paths += _marked(axis, panel.lines[0], scale, marks)
    return Panel(ticks_of(scale), tuple(paths), round(zero * 100, 2), panel.name, panel.size)


def _marked(axis: Axis, line: Line, scale: Scale, marks: Marks) -> list[Path]:
    found = []
    for kind, counts in (("sell", marks.sells), ("buy", marks.buys)):
        dots = [
            dot(place, scale.from_top(value))
            for place, value, count in zip(axis.places, line.values, counts, strict=True)
            if count and value is not None
        ]
        if dots:
            found.append(Path(kind, "".join(dots)))
    return found


def _key(panels: Sequence[Lines], marks: Marks | None) -> tuple[KeyEntry, ...]:
    """Needed where a panel has several lines, or marks."""
    several = [panel for panel in panels if len([line for line in panel.lines if known(line.values)]) > 1]
    found = [
        KeyEntry(LINE_KINDS[number], line.name)
        for panel in several
        for number, line in enumerate(panel.lines)
        if known(line.values)
    ]
    for kind, counts in (("buy", () if marks is None else marks.buys), ("sell", () if marks is None else marks.sells)):
        if any(counts):
            found.append(KeyEntry(kind, {"buy": "bought", "sell": "sold"}[kind]))
    return tuple(found)


def _table(axis: Axis, lines: Sequence[Line], marks: Marks | None) -> DataTable:
    head = [(axis.head, ""), *((line.name, mark_of(line.form)) for line in lines)]
    if marks is not None:
        head += [("Buys", ""), ("Sells", "")]
    rows = []
    for number, name in enumerate(axis.names):
        row = [Cell(name)]
        for line in lines:
            row.append(Cell(bare(line.values[number], line.form), line.figures[number] if line.figures else ""))
        if marks is not None:
            row += [Cell(str(marks.buys[number] or "–")), Cell(str(marks.sells[number] or "–"))]
        rows.append(tuple(row))
    return DataTable(tuple(head), tuple(rows))


def mark_of(form: Form) -> str:
    """The unit that stands in the head of a column."""
    return {"$": "USD"}.get(FORMS[form].mark, FORMS[form].mark.strip())


def bare(value: float | None, form: Form) -> str:
    """A value as the table writes it, its unit in the head."""
    shape = FORMS[form]
    return shape.text(value).replace(shape.mark, "") if shape.mark else shape.text(value)


def _described(line: Line, axis: Axis) -> str:
    """The first, the lowest, the highest and the last value in words."""
    there = [(value, name) for value, name in zip(line.values, axis.names, strict=True) if known([value])]
    if not there:
        return f"{line.name}: no value"
    values = [value for value, _ in there if value is not None]
    text = FORMS[line.form].text
    low, high = values.index(min(values)), values.index(max(values))
    return (
        f"{line.name}: {text(values[0])} on {there[0][1]}, lowest {text(values[low])} on {there[low][1]}, "
        f"highest {text(values[high])} on {there[high][1]}, {text(values[-1])} on {there[-1][1]}"
    )


def _with_rest(ranked: Sequence[Line]) -> list[Line]:
    """The largest series, and the others together as the last."""
    if len(ranked) <= STACK_KINDS:
        return list(ranked)
    kept, others = ranked[: STACK_KINDS - 1], ranked[STACK_KINDS - 1 :]
    together = [sum(line.values[n] or 0.0 for line in others) for n in range(len(ranked[0].values))]
    return [*kept, Line(f"{len(others)} more", together, ranked[0].form)]


def no_chart(title: str, because: str) -> NoChart:
    """A place where a chart would stand, with the reason why there is none."""
    return NoChart(title, because)
