"""Bars: rows by name with marks, waterfalls, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rebalancer.report.charting.axis import BROKEN, ending_of, gutter_of, spaced
from rebalancer.report.charting.drawing import box, dot, known
from rebalancer.report.charting.lines import bare, mark_of, ticks_of
from rebalancer.report.charting.records import (
    HEIGHT,
    WIDTH,
    Cell,
    Charted,
    DataTable,
    DrawnChart,
    Extra,
    KeyEntry,
    NoChart,
    Panel,
    Path,
    Tick,
)
from rebalancer.report.charting.scale import UNITS, Scale, scale_of
from rebalancer.report.figures.figure import FORMS, Form

VALUE_INTERVALS = 5
THICK, SLIM, MARK = 0.62, 0.36, 0.78  # of the height of a row


class RowBar(NamedTuple):
    """One row: a bar from zero to its value, and where known a mark at the value `before` and at the `target`, with
    half the width of the `band` around it, or a background from zero to the `limit`. `figure` is the id of the figure
    that the value is."""

    name: str
    value: float | None
    before: float | None = None
    target: float | None = None
    band: float | None = None
    figure: str = ""
    limit: float | None = None


class Heads(NamedTuple):
    """What the columns of the table are called; "" leaves a column out."""

    name: str
    value: str
    before: str = ""
    target: str = ""
    band: str = ""
    limit: str = ""


class Bin(NamedTuple):
    """So many values in [low, high)."""

    low: float
    high: float
    total: int


def row_chart(
    title: str,
    rows: Sequence[RowBar],
    form: Form,
    heads: Heads,
    *,
    signed: bool = False,
    extra: Extra | None = None,
) -> Charted:
    """One horizontal bar per name, in the given order. signed: gains and losses have colours of their own."""
    if not any(known([row.value]) for row in rows):
        return NoChart(title, "There is nothing to show.")
    scale = _across([end for row in rows for end in _ends(row)], form, signed)
    bars: dict[str, list[str]] = {"band": [], "bar": [], "gain": [], "loss": [], "was": [], "goal": []}
    for number, row in enumerate(rows):
        middle = (number + 0.5) / len(rows)
        if row.target is not None and row.band:
            bars["band"].append(_bar(scale, row.target - row.band, row.target + row.band, middle, THICK, len(rows)))
        if row.limit:
            bars["band"].append(_bar(scale, 0.0, row.limit, middle, THICK, len(rows)))
        if row.value is not None:
            kind = ("gain" if row.value >= 0 else "loss") if signed else "bar"
            thick = SLIM if heads.target or heads.before else THICK
            bars[kind].append(_bar(scale, 0.0, row.value, middle, thick, len(rows)))
        if row.before is not None:
            bars["was"].append(dot(_left(scale, row.before), middle))
        if row.target is not None:
            bars["goal"].append(_upright(scale, row.target, middle, len(rows)))
    bars["inner"] = bars["was"]
    paths = tuple(Path(kind, "".join(parts)) for kind, parts in bars.items() if parts)
    texts = [FORMS[form].text(row.value) for row in rows]
    return DrawnChart(
        title=title,
        text=_rows_in_words(rows, texts, heads),
        panels=(_rows_panel([row.name for row in rows], texts, paths),),
        columns=_value_ticks(scale, [row.name for row in rows], texts),
        table=_row_table(rows, form, heads, extra),
        key=_row_key(rows, heads),
        zero=round(_left(scale, 0.0) * 100, 2),
    )


def waterfall_chart(title: str, steps: Sequence[RowBar], form: Form, total: RowBar, heads: Heads) -> Charted:
    """Steps that begin where the one before ended, and their sum as the last row."""
    if not steps:
        return NoChart(title, "There is nothing to show.")
    values = [step.value or 0.0 for step in steps]
    ends = [sum(values[: number + 1]) for number in range(len(values))]
    scale = _across([0.0, *ends, total.value or 0.0], form, True)
    rows, count = [*steps, total], len(steps) + 1
    gains, losses, links = list[str](), list[str](), list[str]()
    for number, (value, end) in enumerate(zip(values, ends, strict=True)):
        middle = (number + 0.5) / count
        (gains if value >= 0 else losses).append(_bar(scale, end - value, end, middle, THICK, count))
        y = round(middle * HEIGHT)
        links.append(f"M{round(_left(scale, end) * WIDTH)} {y}v{round(HEIGHT / count)}")
    whole = _bar(scale, 0.0, total.value or 0.0, (count - 0.5) / count, THICK, count)
    drawn = [("link", links), ("gain", gains), ("loss", losses), ("bar", [whole])]
    texts = [FORMS[form].text(row.value) for row in rows]
    return DrawnChart(
        title=title,
        text=_rows_in_words(rows, texts, heads),
        panels=(_rows_panel([r.name for r in rows], texts, tuple(Path(k, "".join(p)) for k, p in drawn if p)),),
        columns=_value_ticks(scale, [row.name for row in rows], texts),
        table=_row_table(rows, form, heads),
        zero=round(_left(scale, 0.0) * 100, 2),
    )


def histogram(title: str, bins: Sequence[Bin], form: Form, heads: Heads, *, cost: bool = False) -> Charted:
    """How many values fell where: bins of equal width, one after the other. cost: what lies above zero is a loss."""
    if not any(one.total for one in bins):
        return NoChart(title, "There is nothing to count.")
    scale = scale_of([float(one.total) for one in bins], unit="n", plus="")
    width = 1 / len(bins)
    found: dict[str, list[str]] = {"gain": [], "loss": []}
    for number, one in enumerate(bins):
        if one.total:
            kind = "loss" if (one.low >= -1e-12) == cost else "gain"
            left = number * width
            drawn = box(left + width * 0.06, left + width * 0.94, scale.from_top(one.total), scale.from_top(0.0))
            found[kind].append(drawn)
    text = FORMS[form].text
    names = [f"{text(one.low)} to {text(one.high)}" for one in bins]
    most = max(range(len(bins)), key=lambda n: bins[n].total)
    edges = [*(one.low for one in bins), bins[-1].high]
    marks = [(FORMS[form].text(edge), number * width) for number, edge in enumerate(edges)]
    return DrawnChart(
        title=title,
        text=f"From {text(bins[0].low)} to {text(bins[-1].high)}; most, {bins[most].total}, in {names[most]}.",
        panels=(Panel(ticks_of(scale), tuple(Path(k, "".join(p)) for k, p in found.items() if p), 100.0),),
        columns=spaced(marks),
        table=DataTable(
            ((heads.name, ""), (heads.value, "")),
            tuple((Cell(name), Cell(str(one.total))) for name, one in zip(names, bins, strict=True)),
        ),
    )


def _ends(row: RowBar) -> list[float]:
    found = known([row.value, row.before, row.target, row.limit])
    return found + ([row.target - row.band, row.target + row.band] if row.target is not None and row.band else [])


def _across(values: Sequence[float], form: Form, signed: bool) -> Scale:
    return scale_of(values, plus="+" if signed else "", unit=UNITS.get(form, ""), intervals=VALUE_INTERVALS)


def _left(scale: Scale, value: float) -> float:
    return 1 - scale.from_top(value)


def _bar(scale: Scale, start: float, end: float, middle: float, thick: float, count: int) -> str:
    half = thick / count / 2
    low, high = sorted((_left(scale, start), _left(scale, end)))
    return box(low, high, middle - half, middle + half)


def _upright(scale: Scale, value: float, middle: float, count: int) -> str:
    half = MARK / count / 2
    top, bottom = round((middle - half) * HEIGHT), round((middle + half) * HEIGHT)
    return f"M{round(_left(scale, value) * WIDTH)} {top}v{bottom - top}"


def _value_ticks(scale: Scale, names: Sequence[str], texts: Sequence[str]) -> tuple[Tick, ...]:
    ticks = [(text, _left(scale, float(tick))) for text, tick in zip(scale.labels, scale.ticks, strict=True)]
    gutter, ending = gutter_of(names), ending_of(texts)
    return spaced(ticks, gutter + ending, min(gutter, BROKEN) + ending)


def _rows_panel(names: Sequence[str], texts: Sequence[str], paths: tuple[Path, ...]) -> Panel:
    middles = [round((number + 0.5) / len(names) * 100, 2) for number in range(len(names))]
    rows = tuple(Tick(name, at) for name, at in zip(names, middles, strict=True))
    ends = tuple(Tick(text, at) for text, at in zip(texts, middles, strict=True))
    return Panel(rows, paths, size="rows", ends=ends)


def _row_key(rows: Sequence[RowBar], heads: Heads) -> tuple[KeyEntry, ...]:
    if not (heads.before or heads.target):
        return ()
    found = [KeyEntry("bar", heads.value)]
    if heads.before and any(row.before is not None for row in rows):
        found.append(KeyEntry("was", heads.before))
    if heads.target:
        found.append(KeyEntry("goal", heads.target))
    for word, there in ((heads.band, any(row.band for row in rows)), (heads.limit, any(row.limit for row in rows))):
        if word and there:
            found.append(KeyEntry("band", word))
    return tuple(found)


def _row_table(rows: Sequence[RowBar], form: Form, heads: Heads, extra: Extra | None = None) -> DataTable:
    unit = mark_of(form)
    named = [(name, field) for name, field in zip(heads[1:], Heads._fields[1:], strict=True) if name]
    head = [(heads.name, ""), *((name, unit) for name, _ in named)]
    if extra is not None:
        head.append((extra.head, extra.unit))
    cells = []
    for number, row in enumerate(rows):
        own = [Cell(row.name)]
        own += [Cell(bare(getattr(row, field), form), row.figure if field == "value" else "") for _, field in named]
        if extra is not None:
            own.append(Cell(extra.texts[number]))
        cells.append(tuple(own))
    return DataTable(tuple(head), tuple(cells))


def _rows_in_words(rows: Sequence[RowBar], texts: Sequence[str], heads: Heads) -> str:
    shown = [f"{row.name} {text}" for row, text in zip(rows, texts, strict=True)]
    more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    return f"{heads.value}: {', '.join(shown[:12])}{more}."
