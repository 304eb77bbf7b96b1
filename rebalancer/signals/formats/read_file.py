"""Read one file of signals or target weights, whatever its format.

1. A mapping of the configuration that is called like the file reads its JSON.
2. Else the ending says how it is saved, and columns or keys what it means.
3. What can be read two ways is refused with both readings; what is not known here is read as scores, whose reader says
   what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import text_of_bytes
from rebalancer.ops.files import read_settled_bytes
from rebalancer.signals.file_rows import json_lines, read_rows
from rebalancer.signals.formats.alphalens import read_factor
from rebalancer.signals.formats.cells import Cell, DecimalMark, cell_symbol, number_of
from rebalancer.signals.formats.csv_grid import csv_grid
from rebalancer.signals.formats.documents import parsed, read_document, read_items
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.mapping import Mappings, mapping_for, read_mapped
from rebalancer.signals.formats.numerai import read_numerai
from rebalancer.signals.formats.recognise import SYMBOL, FileColumns, recognise
from rebalancer.signals.formats.score_rows import score_rows
from rebalancer.signals.formats.signal_file import SignalFile
from rebalancer.signals.formats.targets import read_long
from rebalancer.signals.formats.tradingview import read_alerts
from rebalancer.signals.formats.wide import read_positions, read_wide
from rebalancer.signals.signal_row import COLUMNS, BadCell

TEXTS: Final = (".csv", ".tsv", ".txt", ".json", ".jsonl")
BINARY: Final = (".parquet", ".xlsx")
ENDINGS: Final = (*TEXTS, *BINARY)
NO_MEANING: Final = "use symbol and weight, a date and symbols, or symbol, score and confidence"
NUMBERS: Final = ("score", "confidence", "entry_price", "stop_price", "target_price")


class Context(NamedTuple):
    """What a reader has to know beside the file. now: the machine's time, aware; a date after it does not count yet.
    ahead: how far the broker's clock is ahead of it. size_max: bytes."""

    now: datetime
    ahead: timedelta = timedelta(0)
    mappings: Mappings = MappingProxyType({})
    size_max: int = 64 * 1024 * 1024


class FileContent(NamedTuple):
    """A file that was read: what it says, when it was written, the SHA-256 of its bytes, and where in the file a row
    stands, for messages."""

    found: SignalFile
    written_at: datetime
    sha256: str
    where: Callable[[int], str]


def read_file(path: Path, context: Context, mapping: str | None = None) -> FileContent:
    """Read a file completely. Rows have their problems; what concerns the file as a whole raises BadDocument.

    mapping: the name of the mapping to use; None chooses by the file's name.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise BadDocument(str(path), "is not a signal file", f"use one of {', '.join(ENDINGS)}, or a folder")
    settled = read_settled_bytes(path, context.size_max)
    place, source, written_at = str(path), path.stem, settled.written_at
    if ending in BINARY:
        found = read_grid(_binary(settled.body, place, ending), source, context, written_at)
        return FileContent(found, written_at, settled.sha256, _lines(place, found))
    text = text_of_bytes(settled.body, place)
    if not text.strip():
        raise BadDocument(place, "is empty", "was the file written completely? Remove it if it is meant to be empty")
    known = _text(text, place, source, ending, context, written_at, mapping)
    if known is not None:
        where = _items(place, known) if ending == ".json" else _lines(place, known)
        return FileContent(known, written_at, settled.sha256, where)
    rows = read_rows(text, place, ".csv" if ending == ".tsv" else ending)
    numbers: Sequence[int] = [i + 1 if ending == ".json" else rows.line(i) for i in range(len(rows.rows))]
    found = score_rows(zip(numbers, rows.rows, strict=True), place, source, written_at, context.ahead)
    return FileContent(found, written_at, settled.sha256, lambda i: f"{place}:{rows.line(i)}")


def _lines(place: str, found: SignalFile) -> Callable[[int], str]:
    return lambda i: f"{place}:{found.rows[i].line}"


def _items(place: str, found: SignalFile) -> Callable[[int], str]:
    return lambda i: f"{place}#/{found.rows[i].line - 1}"


def read_grid(grid: Grid, source: str, context: Context, written_at: datetime) -> SignalFile:
    """Read the rows and columns of a grid. Raises BadDocument when they have no meaning, or two."""
    columns = recognise(grid)
    if columns is None:
        raise BadDocument(f"{grid.place}:{grid.header}", "the columns have no meaning here", NO_MEANING)
    return _grid(grid, columns, source, context, written_at)


def _text(
    text: str, place: str, source: str, ending: str, context: Context, written_at: datetime, mapping: str | None
) -> SignalFile | None:
    """What a text file says; None for plain scores, and for what has no meaning here."""
    name = mapping or mapping_for(source, context.mappings)
    if ending in (".json", ".jsonl") and name is not None:
        if name not in context.mappings:
            known = ", ".join(sorted(context.mappings)) or "none"
            raise BadDocument("--mapping", f"there is no mapping {name!r} in signals.mappings", f"known: {known}")
        documents = [parsed(text, place)] if ending == ".json" else [item for _, item in json_lines(text, place)]
        return read_mapped(documents, name, context.mappings[name], place, source, written_at, context.ahead)
    if ending == ".txt":
        lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        alerts = [(n, parsed(line, f"{place}:{n}") if line.lstrip().startswith("{") else line) for n, line in lines]
        return read_alerts(alerts, source, written_at, context.ahead)
    if ending == ".json":
        return read_document(parsed(text, place), place, source, context.now, written_at, context.ahead)
    if ending == ".jsonl":
        return read_items(json_lines(text, place), place, source, written_at, context.ahead)
    return _csv(text, place, source, context, written_at)


def _csv(text: str, place: str, source: str, context: Context, written_at: datetime) -> SignalFile | None:
    """A CSV file; None for plain scores and for columns without a meaning, which the reader of scores reads."""
    if _begins_plainly(text):
        return None
    try:
        grid = csv_grid(text, place)
    except BadDocument:
        if "weight" in text[:2000].lower():
            raise
        return None
    columns = recognise(grid)
    if columns is None and _separator_is_odd(grid, text):
        raise BadDocument(f"{place}:{grid.header}", "the columns have no meaning here", NO_MEANING)
    if columns is None or (columns.format == "scores" and not _separator_is_odd(grid, text) and _is_plain(grid)):
        return None
    if not grid.rows and "rows" not in grid.notes and not grid.flag("close_all"):
        hint = "was the file written completely? Begin it with '# rows: 0' if that is meant"
        raise BadDocument(f"{place}:{grid.header}", "has a header and no rows", hint)
    return _grid(grid, columns, source, context, written_at)


def _begins_plainly(text: str) -> bool:
    """Whether the first line is the header of plain scores, which most files have; they need not be read twice."""
    names = {name.strip().lower() for name in text[:1000].partition("\n")[0].split(",")}
    return {"symbol", "confidence"} <= names <= set(COLUMNS)


def _is_plain(grid: Grid) -> bool:
    """Whether the symbols of a file of scores stand in the column that is called so."""
    return "symbol" in (column.lower() for column in grid.columns)


def _separator_is_odd(grid: Grid, text: str) -> bool:
    """Whether the columns are separated by something else than commas."""
    header = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[grid.header - 1]
    return len(grid.columns) > 1 and any(mark in header for mark in ";\t")


def _binary(body: bytes, place: str, ending: str) -> Grid:
    if ending == ".xlsx":
        from rebalancer.signals.formats.excel_grid import excel_grid

        return excel_grid(body, place)
    from rebalancer.signals.formats.parquet_grid import parquet_grid

    return parquet_grid(body, place)


def _grid(grid: Grid, columns: FileColumns, source: str, context: Context, written_at: datetime) -> SignalFile:
    match columns.format:
        case "targets_long":
            return read_long(grid, columns, source, context.now)
        case "targets_wide":
            return read_wide(grid, columns, source, context.now)
        case "pyfolio":
            return read_positions(grid, columns, source, context.now)
        case "alphalens":
            return read_factor(grid, columns, source, context.now, written_at, context.ahead)
        case "numerai":
            return read_numerai(grid, columns, source, written_at, context.ahead)
        case "scores":
            return _scores(grid, source, context, written_at)


def _scores(grid: Grid, source: str, context: Context, written_at: datetime) -> SignalFile:
    """Scores under other names or with other marks than those of a plain file."""
    names = ["symbol" if name in SYMBOL else name for name in grid.names()]
    kept = [i for i, name in enumerate(names) if not name.startswith(("x_", "x-"))]
    unknown = next((i for i in kept if names[i] not in COLUMNS), None)
    if unknown is not None:
        hint = f"known: {', '.join(COLUMNS)}; notes begin with 'x-'"
        raise BadDocument(f"{grid.place}:{grid.header}: {grid.columns[unknown][:40]!r}", "unknown column", hint)
    if not grid.is_ended:
        where = f"{grid.place}:{grid.rows[-1].line if grid.rows else grid.header}"
        raise BadDocument(where, "the last line has no line end", "was the file written completely?")
    mark = grid.mark(tuple(i for i in kept if names[i] in NUMBERS))
    rows = [
        (row.line, {names[i]: _score_cell(row.cells[i], names[i], mark) for i in kept if row.cells[i] is not None})
        for row in grid.rows
    ]
    return score_rows(rows, grid.place, source, written_at, context.ahead)


def _score_cell(cell: Cell, name: str, mark: DecimalMark) -> object:
    """A cell as the reader of scores takes it; what it cannot be stays as it is and is refused there."""
    try:
        if name == "symbol":
            return cell_symbol(cell)
        if name in NUMBERS:
            number = number_of(cell, mark, name)
            return cell if number.is_percent else str(number.value)
    except BadCell:
        return cell
    return cell if isinstance(cell, str) else str(cell)
