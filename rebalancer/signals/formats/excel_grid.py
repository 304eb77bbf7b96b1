"""Excel workbooks (.xlsx). Needs the extra `excel` (openpyxl).

The tab called targets, weights or signals is read, else the only one that holds anything. Numbers in cells formatted
as per cent are per cent, dates are dates; of a formula the value counts that Excel saved with it.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal
from typing import Any, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.extras import install_hint
from rebalancer.core.values import decimal_near, text_of
from rebalancer.signals.formats.cells import Cell
from rebalancer.signals.formats.grid import Grid, GridRow

TAB_NAMES: Final = ("targets", "weights", "signals")
UNPACKED_MAX: Final = 256 * 1024 * 1024  # bytes
ROWS_MAX: Final = 100_000
COLUMNS_MAX: Final = 16_384
_HUNDRED: Final = Decimal(100)


def excel_grid(body: bytes, place: str) -> Grid:
    """Read a workbook. Raises BadDocument when it cannot be read, is a bomb, or openpyxl is missing."""
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError:
        raise BadDocument(place, "needs openpyxl to be read", install_hint("excel")) from None
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > UNPACKED_MAX:
            raise BadDocument(place, f"unpacks to more than {UNPACKED_MAX} bytes", "keep the tab of the targets alone")
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True)
        worksheets = {str(tab.title): _rows(tab, place) for tab in book.worksheets}
        book.close()
    except BadDocument:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever the XML inside makes it raise
        problem = f"is not an Excel workbook: {type(error).__name__} {str(error)[:80]}"
        raise BadDocument(
            place, problem, "was the file written completely? Save it as .xlsx, without a password"
        ) from None
    return _grid(_chosen(worksheets, place), place)


def _chosen(worksheets: dict[str, list[GridRow]], place: str) -> list[GridRow]:
    filled = {name: rows for name, rows in worksheets.items() if rows}
    named = [name for name in filled if name.strip().lower() in TAB_NAMES]
    chosen = named or list(filled)
    if not chosen:
        raise BadDocument(place, "has no filled tab", "begin with a row such as symbol, weight")
    if len(chosen) > 1:
        listed = " or ".join(chosen[:5])
        raise BadDocument(place, f"has several worksheets that could be meant: {listed}", f"call one {TAB_NAMES[0]}")
    return filled[chosen[0]]


def _rows(tab: Any, place: str) -> list[GridRow]:
    """The rows that hold anything, with their numbers."""
    found: list[GridRow] = []
    for number, cells in enumerate(tab.iter_rows(), 1):
        if len(found) > ROWS_MAX or len(cells) > COLUMNS_MAX:
            raise BadDocument(place, f"has more than {ROWS_MAX} rows", "keep the rows of the targets alone")
        values = tuple(_cell(cell) for cell in cells)
        if any(value is not None for value in values):
            found.append(GridRow(number, values))
    return found


def _grid(rows: list[GridRow], place: str) -> Grid:
    notes: dict[str, str] = {}
    while rows and isinstance(rows[0].cells[0], str) and rows[0].cells[0].startswith("#"):
        name, _, value = rows[0].cells[0].lstrip("# ").partition(":")
        given = [str(cell) for cell in rows[0].cells[1:] if cell is not None]
        notes[name.strip().lower()] = (value.strip() or "".join(given[:1])).strip().lower()
        rows = rows[1:]
    if not rows:
        raise BadDocument(place, "has no header", "begin with a row such as symbol, weight")
    header, *body = rows
    width = max((i + 1 for row in rows for i, cell in enumerate(row.cells) if cell is not None), default=0)
    columns = tuple("" if cell is None else str(cell) for cell in (*header.cells, *[None] * width)[:width])
    return Grid(
        columns,
        tuple(GridRow(row.line, (*row.cells, *[None] * width)[:width]) for row in body),
        place,
        header.line,
        {name: value for name, value in notes.items() if name in ("complete", "weights_of", "close_all")},
    )


def _cell(cell: Any) -> Cell:
    value = cell.value
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None or isinstance(value, date):
        return value
    if isinstance(value, (int, float)):
        is_percent = "%" in str(getattr(cell, "number_format", "") or "")
        return f"{text_of(decimal_near(value) * _HUNDRED)}%" if is_percent else value
    return str(value)
