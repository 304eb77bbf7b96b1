"""What a chart is when it is drawn: panels of paths on one axis, ticks, a key, and the table of the same data.

A panel is a picture of `WIDTH` x `HEIGHT` units that is stretched to its place; strokes keep their width and dots their
roundness. Every value of a chart stands in its table.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

WIDTH: Final = 1600
HEIGHT: Final = 400

Size = Literal["tall", "low", "rows", "grid"]


class Tick(NamedTuple):
    """A place on an axis: its text, and its distance from the top or the left in percent. A `minor` tick is shown only
    where the picture is wide. `side` is the part of the text that lies on the place."""

    text: str
    at: float
    minor: bool = False
    side: Literal["middle", "start", "end"] = "middle"


class Path(NamedTuple):
    """Shapes of one kind: the class that colours them, and SVG path data in whole units of the panel."""

    kind: str
    data: str


class Note(NamedTuple):
    """A text inside a panel, its middle in percent from the left and the top; shown only where the picture is wide."""

    text: str
    left: float
    top: float


class Panel(NamedTuple):
    """One plot: ticks at its left, its shapes, and where zero lies (None: outside), in percent from the top. `name`
    stands above a panel of several. Panels of `rows` and `grid` have a row of text per tick, and lines down from the
    ticks of the common axis instead of across; `ends` are texts at the right of the rows."""

    rows: tuple[Tick, ...]
    paths: tuple[Path, ...]
    zero: float | None = None
    name: str = ""
    size: Size = "tall"
    notes: tuple[Note, ...] = ()
    ends: tuple[Tick, ...] = ()


class KeyEntry(NamedTuple):
    """What a colour or a shape means: the class of its paths, and the words."""

    kind: str
    text: str


class Cell(NamedTuple):
    """One cell of a table: its text, and the id of the figure that it shows, if it shows one."""

    text: str
    figure: str = ""


class Extra(NamedTuple):
    """One more column of the table: its head, its unit, and one text per row."""

    head: str
    unit: str
    texts: tuple[str, ...]


class DataTable(NamedTuple):
    """The data of a chart: the head of each column with its unit, and the rows; the first cell of a row names it."""

    head: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]


class DrawnChart(NamedTuple):
    """A chart ready to be shown. `text` says in words what can be seen; `columns` are the ticks of the common axis
    below the last panel, and `zero` is where the value zero lies on it (None: it has none)."""

    title: str
    text: str
    panels: tuple[Panel, ...]
    columns: tuple[Tick, ...]
    table: DataTable
    key: tuple[KeyEntry, ...] = ()
    zero: float | None = None


class NoChart(NamedTuple):
    """Too little data for a chart: `because` says what is needed."""

    title: str
    because: str


Charted = DrawnChart | NoChart


def needs(title: str, least: int, found: int, unit: str = "day") -> NoChart:
    """Say how many values a chart needs and how many there are."""
    many = f"{least} {unit}{'s' if least != 1 else ''}"
    have = f"there {'is' if found == 1 else 'are'} {found}" if found else "there is none"
    return NoChart(title, f"Needs {many}; {have}.")
