"""Tables and paragraphs for the terminal: aligned columns, lines that fit, optional colour.

`width=None` is a pipe or a file: nothing is cut or wrapped, whatever its length. All texts are expected to be `visible`
already, so that no character has a side effect.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

_STYLE: Final = {"ok": "32", "warn": "33", "bad": "31", "idle": "2", "bold": "1"}
GAP: Final = "  "


class TableRow(NamedTuple):
    """One row of a table; `tone` colours its last cell, `below` are paragraphs under it."""

    cells: tuple[str, ...]
    tone: str = ""
    below: tuple[str, ...] = ()


def paint(text: str, tone: str, colour: bool) -> str:
    """Colour a text; its meaning must be in the text already."""
    return f"\x1b[{_STYLE[tone]}m{text}\x1b[0m" if colour and tone in _STYLE else text


def cells_wide(text: str) -> int:
    """The width of a text in terminal columns: wide letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def clip(text: str, width: int | None) -> str:
    """Cut a text to a width and mark the cut with an ellipsis."""
    if width is None or cells_wide(text) <= width:
        return text
    kept = text[:width]
    while cells_wide(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def wrap(text: str, width: int | None, indent: str = "", first: str | None = None) -> list[str]:
    """Break a paragraph into lines of at most `width`; `first` replaces the indent of the first line."""
    first = indent if first is None else first
    if width is None:
        return [first + text]
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
    return [clip(line, width) for line in lines] or [first.rstrip()]


def table(head: Sequence[str], align: str, rows: Sequence[TableRow], *, width: int | None, colour: bool) -> list[str]:
    """Lay out a table. `align`: one "<" or ">" per column."""
    every = [tuple(head), *(row.cells for row in rows)]
    sizes = [max(cells_wide(cells[k]) for cells in every) for k in range(len(head))]
    lines = [paint(_line(tuple(head), align, sizes, width), "idle", colour)]
    for row in rows:
        line = _line(row.cells, align, sizes, width)
        last = row.cells[-1]
        if row.tone and last and line.endswith(last):
            line = line[: len(line) - len(last)] + paint(last, row.tone, colour)
        lines.append(line)
        for paragraph in row.below:
            lines += [paint(text, "idle", colour) for text in wrap(paragraph, width, "      ", "    ")]
    return lines


def _line(cells: tuple[str, ...], align: str, sizes: Sequence[int], width: int | None) -> str:
    padded = []
    for cell, side, size in zip(cells, align, sizes, strict=True):
        space = " " * (size - cells_wide(cell))
        padded.append(cell + space if side == "<" else space + cell)
    return clip((GAP + GAP.join(padded)).rstrip(), width)
