"""pandas frames as grids: a DataFrame or Series of a notebook, and what Parquet files hold.

An index with names becomes columns; one of dates becomes the column date. Missing values (NaN, NaT, None) are empty
cells. pandas itself is not imported: the frame brings its own.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rebalancer.core.documents import BadDocument
from rebalancer.signals.formats.cells import Cell
from rebalancer.signals.formats.grid import Grid, GridRow

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def grid_of_frame(frame: DataFrame | Series[Any], place: str) -> Grid:
    """The rows of a frame, numbered from 1. Raises BadDocument for columns of several levels."""
    table: Any = frame
    if table.ndim == 1:
        table = table.to_frame("0" if table.name is None else table.name)
    if getattr(table.columns, "nlevels", 1) > 1:
        raise BadDocument(place, "has columns of several levels", "give it one row of column names")
    index = table.index
    if not _is_counter(index):
        names = [
            "date" if _is_dates(index, i) else ("" if name is None else str(name)) for i, name in enumerate(index.names)
        ]
        table = table.set_axis(index.set_names(_free(names, [str(c) for c in table.columns], place))).reset_index()
    columns = tuple("" if str(name).startswith("\0") else str(name) for name in table.columns)
    cells = [[_cell(value) for value in table.iloc[:, i].tolist()] for i in range(len(columns))]
    rows = zip(*cells, strict=True) if cells else ()
    return Grid(columns, tuple(GridRow(i, tuple(row)) for i, row in enumerate(rows, 1)), place, 1)


def _free(names: list[str], columns: list[str], place: str) -> list[str]:
    """The names for the levels of an index; a level without a name gets one that no column has."""
    twice = [name for name in names if name and name in columns]
    if twice:
        raise BadDocument(place, f"{twice[0]!r} is a column and the index", "drop one of both")
    return [name or f"\0{i}" for i, name in enumerate(names)]


def _is_counter(index: Any) -> bool:
    """Whether an index only numbers the rows."""
    return (
        index.nlevels == 1
        and index.name is None
        and index.dtype.kind in "iu"
        and index.tolist() == list(range(len(index)))
    )


def _is_dates(index: Any, level: int) -> bool:
    values = index.get_level_values(level)
    return bool(values.dtype.kind == "M") or (len(values) > 0 and all(isinstance(v, date) for v in values[:100]))


def _cell(value: Any) -> Cell:
    """A value as a cell; a NumPy scalar becomes Python's, a time pandas' own datetime."""
    if value is None or value != value:  # NaN and NaT are not equal to themselves
        return None
    if type(value).__module__ == "numpy":
        value = value.item()
    if isinstance(value, datetime) and hasattr(value, "to_pydatetime"):
        moment: datetime = value.to_pydatetime(warn=False)
        return moment
    if isinstance(value, (str, int, float, Decimal, date)):
        return value.strip() or None if isinstance(value, str) else value
    if type(value).__name__ == "NAType":
        return None
    return str(value)
