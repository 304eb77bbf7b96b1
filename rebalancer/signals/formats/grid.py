"""Rows and columns, however they were saved: the common form of CSV, Excel and Parquet files, frames and JSON rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.signals.formats.cells import Cell, DecimalMark, number_style
from rebalancer.signals.formats.signal_file import WeightsOf
from rebalancer.signals.signal_row import BadCell


class GridRow(NamedTuple):
    """One row: its line, as in `FileRow`, and one cell for each column; None is an empty cell."""

    line: int
    cells: tuple[Cell, ...]


class Grid(NamedTuple):
    """`columns` are the names as they were written. `notes` are statements about the file as a whole: complete,
    weights_of, close_all, rows. `place` names the file, for messages; `header` is the line of the column names;
    `is_ended`: the last line has its end."""

    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]
    place: str
    header: int = 1
    notes: Mapping[str, str] = {}
    is_ended: bool = True

    def names(self) -> tuple[str, ...]:
        """The column names in their plain form: lower case, words joined by an underscore."""
        return tuple(plain_name(column) for column in self.columns)

    def column(self, place: int) -> Iterator[Cell]:
        """The cells of one column."""
        return (row.cells[place] for row in self.rows)

    def mark(self, places: tuple[int, ...]) -> DecimalMark:
        """The decimal mark of these columns. Raises BadDocument when it can be read two ways."""
        try:
            return number_style(row.cells[place] for row in self.rows for place in places)
        except BadCell as error:
            raise BadDocument(self.place, error.problem, error.hint) from None

    def flag(self, name: str) -> bool:
        """A note that is true or false. Raises BadDocument for any other value."""
        value = self.notes.get(name, "false").lower()
        if value not in ("true", "false"):
            raise BadDocument(
                f"{self.place}: {name}", f"{value[:40]!r} is neither true nor false", "write true or false"
            )
        return value == "true"

    def weights_of(self) -> WeightsOf | None:
        """The note `weights_of`. Raises BadDocument for any other value than equity and capital."""
        match self.notes.get("weights_of"):
            case None:
                return None
            case "equity":
                return "equity"
            case "capital":
                return "capital"
            case other:
                raise BadDocument(f"{self.place}: weights_of", f"{other[:40]!r} is unknown", "write equity or capital")


def plain_name(column: str) -> str:
    """A column name in lower case, its words joined by an underscore."""
    return "_".join(column.replace("-", " ").replace("_", " ").lower().split())
