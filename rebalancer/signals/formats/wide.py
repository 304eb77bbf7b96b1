"""One row for each date and one column for each symbol: target weights, or the positions that pyfolio keeps.

The row of the newest date that is not after now counts. Of target weights an empty cell is no opinion and 0 means
close. Positions are in USD, with a column `cash`; each is divided by the sum of its row, cash included.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.values import ZERO, text_of
from rebalancer.signals.formats.cells import number_of
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.recognise import FileColumns, symbol_columns
from rebalancer.signals.formats.signal_file import FileRow, SeveralReadings, SignalFile
from rebalancer.signals.formats.targets import SUM_MAX, Given, checked, newest
from rebalancer.signals.signal_row import BadCell

WEIGHT_PLACES: Final = Decimal("0.000000000001")
_EQUAL: Final = Decimal("0.000001")  # how far from 1 a sum of weights with cash may be


def read_wide(grid: Grid, columns: FileColumns, source: str, now: datetime) -> SignalFile:
    """Read target weights with one column for each symbol. now: as for `read_long`."""
    symbols = symbol_columns(grid, (0,))
    rows, as_of, warnings = newest(grid, columns.places["date"], now)
    _refuse_second(len(rows), grid)
    given = [
        Given(row.line, symbol, row.cells[i], source)
        for row in rows
        for i, symbol in symbols.items()
        if row.cells[i] is not None
    ]
    return checked(given, "targets_wide", grid, grid.mark(tuple(symbols)), as_of, warnings)


def read_positions(grid: Grid, columns: FileColumns, source: str, now: datetime) -> SignalFile:
    """Read positions in USD and cash as target weights. Raises BadDocument when they might be weights already."""
    cash = columns.places["cash"]
    symbols = symbol_columns(grid, (columns.places["date"], cash))
    rows, as_of, warnings = newest(grid, columns.places["date"], now)
    _refuse_second(len(rows), grid)
    mark = grid.mark((*symbols, cash))
    if not rows:
        raise BadDocument(grid.place, "has no rows", "add the positions of a day")
    (row,) = rows
    worth: dict[int, Decimal] = {}
    faults: dict[int, BadCell] = {}
    for i in (*symbols, cash):
        try:
            worth[i] = ZERO if row.cells[i] is None else number_of(row.cells[i], mark, grid.columns[i]).value
        except BadCell as error:
            faults[i] = error
    total = sum(worth.values(), ZERO)
    if faults:
        return _refused(symbols, faults, worth, row.line, source)
    where = f"{grid.place}:{row.line}"
    if total <= 0:
        raise BadDocument(
            where, f"positions and cash sum to {text_of(total)}", "an account worth nothing has no weights"
        )
    if sum(map(abs, worth.values()), ZERO) <= SUM_MAX and abs(total - 1) > _EQUAL:
        both = SeveralReadings("the file", "positions in USD", f"target weights that sum to {text_of(total)}")
        raise BadDocument(where, str(both), "leave the column cash out of target weights")
    given = [
        Given(row.line, symbol, (worth[i] / total).quantize(WEIGHT_PLACES), source)
        for i, symbol in symbols.items()
        if row.cells[i] is not None
    ]
    return checked(given, "pyfolio", grid, ".", as_of, warnings)


def _refuse_second(count: int, grid: Grid) -> None:
    if count > 1:
        raise BadDocument(grid.place, f"has {count} rows of its newest date", "keep one row for each date")


def _refused(
    symbols: dict[int, str], faults: dict[int, BadCell], worth: dict[int, Decimal], line: int, source: str
) -> SignalFile:
    """Every symbol with its problem; no weight is known as long as one position is not."""
    rows = [
        FileRow(
            line, symbol, "target", None, source, *((str(faults[i]), faults[i].hint) if i in faults else (None, ""))
        )
        for i, symbol in symbols.items()
        if i in faults or i in worth
    ]
    other = tuple(str(fault) for i, fault in faults.items() if i not in symbols)
    return SignalFile("pyfolio", tuple(rows), problems=other)
