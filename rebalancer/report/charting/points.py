"""Scatter plots: one dot per order, name or day, with a scale on both axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rebalancer.report.charting.axis import spaced
from rebalancer.report.charting.drawing import dot
from rebalancer.report.charting.lines import bare, mark_of, ticks_of
from rebalancer.report.charting.records import Cell, Charted, DataTable, DrawnChart, KeyEntry, NoChart, Panel, Path
from rebalancer.report.charting.scale import UNITS, scale_of
from rebalancer.report.figures.figure import FORMS, Form

ACROSS_INTERVALS = 5


class Spot(NamedTuple):
    """One dot: its name in the table, its two values, and its shape."""

    name: str
    across: float
    up: float
    kind: Literal["buy", "sell"] = "buy"


def scatter_chart(
    title: str,
    spots: Sequence[Spot],
    forms: tuple[Form, Form],
    heads: tuple[str, str, str],
    kinds: tuple[str, str] = ("bought", "sold"),
) -> Charted:
    """Draw dots. forms: of the values across and up. heads: of the name, and of both values."""
    if not spots:
        return NoChart(title, "There is nothing to show.")
    words = dict(zip(("buy", "sell"), kinds, strict=True))
    across = scale_of([s.across for s in spots], plus="", unit=UNITS.get(forms[0], ""), intervals=ACROSS_INTERVALS)
    up = scale_of([s.up for s in spots], unit=UNITS.get(forms[1], ""))
    paths = [
        Path(kind, "".join(dot(1 - across.from_top(s.across), up.from_top(s.up)) for s in spots if s.kind == kind))
        for kind in ("sell", "buy")
    ]
    marks = [(t, 1 - across.from_top(float(tick))) for t, tick in zip(across.labels, across.ticks, strict=True)]
    low, high = min(spots, key=lambda s: s.up), max(spots, key=lambda s: s.up)
    text = FORMS[forms[1]].text
    said = f"{heads[2]} of {len(spots)}: lowest {text(low.up)} ({low.name}), highest {text(high.up)} ({high.name})."
    return DrawnChart(
        title=title,
        text=said,
        panels=(Panel(ticks_of(up), tuple(p for p in paths if p.data), round(up.from_top(0.0) * 100, 2)),),
        columns=spaced(marks),
        table=DataTable(
            ((heads[0], ""), ("Side", ""), *((h, mark_of(f)) for h, f in zip(heads[1:], forms, strict=True))),
            tuple(
                (
                    Cell(s.name),
                    Cell(words[s.kind]),
                    Cell(bare(s.across, forms[0])),
                    Cell(bare(s.up, forms[1])),
                )
                for s in spots
            ),
        ),
        key=tuple(KeyEntry(k, words[k]) for k in ("buy", "sell") if any(s.kind == k for s in spots)),
    )
