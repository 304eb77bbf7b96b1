"""Tables of prices as files and frames hold them: a column of times, columns of numbers, and where each cell stands."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.extras import install_hint
from rebalancer.core.input_file import text_of_bytes
from rebalancer.ops.files import read_settled_bytes
from rebalancer.research.market import Floats
from rebalancer.signals.formats.cells import number_of, number_style
from rebalancer.signals.signal_row import BadCell

if TYPE_CHECKING:
    from pandas import DataFrame

SIZE_MAX: Final = 4 * 1024**3  # bytes of one file
SEPARATORS: Final = ",;\t"
EMPTY: Final = ("", "nan", "NaN", "NA", "N/A", "#N/A", "null", "None")
_NOTE: Final = re.compile(r"#\s*([A-Za-z_]+)\s*[:=]\s*(.*)")
_LINE: Final = re.compile(r"line (\d+)")


class PriceTable(NamedTuple):
    """`frame` has plain column names; its first row is `first` in the file, `unit` says of what: a line or a row.
    `notes` are statements above the header, such as `# complete: true`."""

    frame: DataFrame
    place: str
    first: int
    unit: str = "line"
    notes: Mapping[str, str] = MappingProxyType({})

    def where(self, row: int, column: str = "") -> str:
        """The place of a cell or a row, for messages."""
        number = self.first + row
        spot = f"{self.place}:{number}" if self.unit == "line" else f"{self.place}: row {number}"
        return f"{spot}: {column}" if column else spot


def read_table_file(path: Path) -> PriceTable:
    """Read a CSV or Parquet file. Raises BadDocument."""
    ending = path.suffix.lower()
    if ending == ".parquet":
        return table_of_frame(_parquet(path), str(path))
    if ending not in (".csv", ".tsv", ".txt"):
        raise BadDocument(str(path), "is not a table of prices", "use .csv or .parquet, or Alpaca's bars as .json")
    return _csv_table(text_of_bytes(read_settled_bytes(path, SIZE_MAX).body, str(path)), str(path))


def table_of_frame(frame: DataFrame, place: str) -> PriceTable:
    """A frame with its index as the first column, unless that only numbers the rows. Raises BadDocument."""
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise BadDocument(place, "has columns of several levels", "give it one level, or one row per time and symbol")
    index = frame.index
    is_counter = index.nlevels == 1 and index.dtype.kind in "iu" and index.tolist() == list(range(len(index)))
    names = [str(name) for name in frame.columns]
    if not is_counter:
        levels: list[str] = []
        for i, name in enumerate(index.names):
            values = index.get_level_values(i)
            levels.append("timestamp" if values.dtype.kind == "M" else str(name if name is not None else "symbol"))
        if len(levels) == 1 and levels[0] == "symbol":
            levels = ["timestamp"]
        index = index.set_names(levels)
        frame = frame.set_axis(index).reset_index()
        names = [*levels, *names]
    frame = frame.set_axis(names, axis=1)
    _refuse_repeated(names, place)
    return PriceTable(frame, place, 1, "row")


def numbers_of_column(table: PriceTable, column: str, what: str) -> Floats:
    """A column as floats, NaN where it is empty. what: of what a message speaks. Raises BadDocument."""
    values = table.frame[column]
    if values.dtype.kind in "iuf":
        found = values.to_numpy(np.float64, copy=True, na_value=np.nan)
    else:
        found = _texts(table, values.tolist(), column)
    infinite = np.isinf(found)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise BadDocument(table.where(row, column), f"{what} is not finite", "write a number, or leave it empty")
    return found


def prices_of_column(table: PriceTable, column: str) -> Floats:
    """A column of prices, NaN where it is empty. Raises BadDocument for one that is not above 0."""
    found = numbers_of_column(table, column, "a price")
    wrong = found <= 0
    if wrong.any():
        row = int(np.argmax(wrong))
        hint = "leave the cell empty where there is no price"
        raise BadDocument(table.where(row, column), f"{found[row]:g} is not a price above 0", hint)
    return found


def volumes_of_column(table: PriceTable, column: str) -> Floats:
    """A column of volumes, NaN where it is empty. Raises BadDocument for one below 0."""
    found = numbers_of_column(table, column, "a volume")
    wrong = found < 0
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadDocument(table.where(row, column), f"{found[row]:g} is below 0", "a volume is 0 or more")
    return found


def range_of_columns(table: PriceTable, low: str | None, high: str | None) -> tuple[Floats | None, Floats | None]:
    """Lows and highs; None where one of them is missing. Raises BadDocument for a low above its high."""
    if low is None or high is None:
        return None, None
    lows, highs = prices_of_column(table, low), prices_of_column(table, high)
    wrong = lows > highs
    if wrong.any():
        row = int(np.argmax(wrong))
        problem = f"{lows[row]:g} is above the high of the row, {highs[row]:g}"
        raise BadDocument(table.where(row, low), problem, "were the columns mixed up?")
    return lows, highs


def _texts(table: PriceTable, cells: Sequence[Any], column: str) -> Floats:
    found = np.full(len(cells), np.nan)
    known = [(i, cell) for i, cell in enumerate(cells) if cell is not None and cell == cell and str(cell).strip()]
    try:
        mark = number_style(cell for _, cell in known)
    except BadCell as error:
        raise BadDocument(f"{table.place}: {column}", error.problem, error.hint) from None
    for i, cell in known:
        try:
            number = number_of(cell.item() if type(cell).__module__ == "numpy" else cell, mark, column)
        except BadCell as error:
            raise BadDocument(table.where(i, column), error.problem, error.hint) from None
        found[i] = float(number.value) / (100 if number.is_percent else 1)
    return found


def _parquet(path: Path) -> DataFrame:
    body = read_settled_bytes(path, SIZE_MAX).body
    try:
        import pandas
        import pyarrow  # type: ignore[import-untyped]
    except ImportError:
        raise BadDocument(str(path), "needs pyarrow to be read", install_hint("replay")) from None
    try:
        return pandas.read_parquet(io.BytesIO(body), engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        problem = f"is not Parquet: {str(error)[:120]}"
        raise BadDocument(str(path), problem, "was the file written completely?") from None


def _csv_table(text: str, place: str) -> PriceTable:
    import pandas

    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), None)
    if start is None:
        raise BadDocument(place, "is empty", "was the file written completely?")
    header = lines[start]
    separator = max(SEPARATORS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    if len(names) < 2:
        raise BadDocument(f"{place}:{start + 1}", "has one column", "begin with a line such as timestamp,AAPL,MSFT")
    _refuse_repeated(names, f"{place}:{start + 1}")
    while lines and not lines[-1].strip():
        lines.pop()
    body = lines[start + 1 :]
    if not body:
        raise BadDocument(f"{place}:{start + 1}", "has a header and no rows", "was the file written completely?")
    if '"' not in text:
        for i, line in enumerate(body):
            if line.count(separator) != len(names) - 1:
                problem = f"has {line.count(separator) + 1} columns and the header has {len(names)}"
                raise BadDocument(f"{place}:{start + 2 + i}", problem, "was the file written completely?")
    decimal = "," if separator == ";" and re.search(r"\d,\d", "\n".join(body[:50])) else "."
    try:
        frame = pandas.read_csv(
            io.StringIO("\n".join(body)), sep=separator, decimal=decimal, header=None, names=names,
            dtype={names[0]: str}, skip_blank_lines=False, keep_default_na=False, na_values=list(EMPTY),
            index_col=False, low_memory=False, skipinitialspace=True,
        )  # fmt: skip
    except pandas.errors.ParserError as error:
        said = _LINE.search(str(error))
        spot = f"{place}:{int(said[1]) + start + 1}" if said else place
        raise BadDocument(spot, f"is not CSV: {str(error)[:120]}", "was the file written completely?") from None
    notes = {found[1].lower(): found[2].strip().lower() for line in lines[:start] if (found := _NOTE.match(line))}
    return PriceTable(frame, place, start + 2, "line", notes)


def _refuse_repeated(names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadDocument(f"{where}: {name[:40]!r}", "stands twice", "keep one of the columns")
        seen.add(name)
