"""Heat maps: a grid of values in nine strengths of colour; what is below zero also carries a minus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rebalancer.report.charting.axis import ending_of, gutter_of, spaced
from rebalancer.report.charting.drawing import Values, box, known
from rebalancer.report.charting.lines import bare, mark_of
from rebalancer.report.charting.records import (
    HEIGHT,
    WIDTH,
    Cell,
    Charted,
    DataTable,
    DrawnChart,
    Extra,
    KeyEntry,
    Note,
    Panel,
    Path,
    Tick,
    needs,
)
from rebalancer.report.charting.scale import round_step
from rebalancer.report.figures.figure import FORMS, Form

STRENGTHS: Final = 4
NOTES_MOST: Final = 14  # columns; more of them leave no room for a text in a cell


def heat_chart(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Values],
    form: Form,
    *,
    head: str = "",
    most: float | None = None,
    least: int = 1,
    unit: str = "day",
    figures: Sequence[Sequence[str]] = (),
    total: Extra | None = None,
) -> Charted:
    """Draw a grid, shape (rows, columns); None is an empty cell. most: the value of the strongest colour, from the
    values themselves if not given. figures: the ids of the figures that the values are, in the same shape.
    total: a last column of the table, which also stands at the right of the rows."""
    there = [value for row in values for value in known(row)]
    if len(there) < max(least, 1):
        return needs(title, least, len(there), unit)
    top = strongest(there) if most is None else most
    kinds: dict[str, list[str]] = {}
    notes: list[Note] = []
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if value is None or not math.isfinite(value):
                continue
            left, above = j / len(columns), i / len(rows)
            cell = box(left, (j + 1) / len(columns), above, (i + 1) / len(rows))
            kinds.setdefault(kind_of(value, top), []).append(cell)
            if value < 0:
                kinds.setdefault("minus", []).append(_minus(i, j, len(rows), len(columns)))
            if len(columns) <= NOTES_MOST:
                middle = (round((j + 0.5) / len(columns) * 100, 2), round((i + 0.5) / len(rows) * 100, 2))
                notes.append(Note(bare(value, form), *middle))
    ordered = sorted(kinds, key=lambda kind: (kind == "minus", kind))
    text = FORMS[form].text
    return DrawnChart(
        title=title,
        text=f"{len(there)} values, lowest {text(min(there))}, highest {text(max(there))}.",
        panels=(
            Panel(
                _at_rows(rows),
                tuple(Path(kind, "".join(kinds[kind])) for kind in ordered),
                size="grid",
                notes=tuple(notes),
                ends=() if total is None else _at_rows(total.texts),
            ),
        ),
        columns=spaced(
            [(name, (j + 0.5) / len(columns)) for j, name in enumerate(columns)],
            gutter_of(rows) + ending_of(() if total is None else total.texts),
        ),
        table=_table(rows, columns, values, form, head, figures, total),
        key=(KeyEntry(f"l{STRENGTHS}", f"{text(-top)} or less"), KeyEntry(f"h{STRENGTHS}", f"{text(top)} or more")),
    )


def _at_rows(texts: Sequence[str]) -> tuple[Tick, ...]:
    return tuple(Tick(text, round((i + 0.5) / len(texts) * 100, 2)) for i, text in enumerate(texts))


def strongest(values: Sequence[float]) -> float:
    """A round number that is not below the size of any value."""
    size = max(abs(value) for value in values)
    return float(round_step(Decimal(repr(size)), 2)) if size > 0 else 1.0


def kind_of(value: float, most: float) -> str:
    """The class of a value: "l4" (most or less below zero) to "h4"; "h0" for next to nothing."""
    strength = min(math.ceil(abs(value) / most * STRENGTHS), STRENGTHS) if abs(value) > most / 100 else 0
    return f"{'l' if value < 0 and strength else 'h'}{strength}"


def _minus(row: int, column: int, rows: int, columns: int) -> str:
    length = round(WIDTH / columns * 0.3)
    left = round((column + 0.5) / columns * WIDTH) - length // 2
    return f"M{left} {round((row + 0.5) / rows * HEIGHT)}h{length}"


def _table(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Values],
    form: Form,
    head: str,
    figures: Sequence[Sequence[str]],
    total: Extra | None,
) -> DataTable:
    unit = mark_of(form)
    return DataTable(
        ((head, unit), *((name, "") for name in columns), *([] if total is None else [(total.head, total.unit)])),
        tuple(
            (
                Cell(name),
                *(
                    Cell("" if value is None else bare(value, form), figures[i][j] if figures else "")
                    for j, value in enumerate(values[i])
                ),
                *([] if total is None else [Cell(total.texts[i])]),
            )
            for i, name in enumerate(rows)
        ),
    )
