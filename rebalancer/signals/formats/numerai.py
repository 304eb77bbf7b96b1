"""Numerai Signals: two columns, a ticker such as `AAPL US` and a signal from 0 to 1. The score is 2 x signal - 1."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from rebalancer.core.facts import Signal
from rebalancer.core.values import time_text
from rebalancer.signals.formats.cells import cell_symbol, number_of
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.recognise import FileColumns
from rebalancer.signals.formats.signal_file import FileRow, SignalFile
from rebalancer.signals.signal_row import BadCell, computed_id

CONFIDENCE = 1.0


def read_numerai(grid: Grid, columns: FileColumns, source: str, written_at: datetime, ahead: timedelta) -> SignalFile:
    """Read a submission as scores of full confidence, issued when the file was written."""
    places, mark = columns.places, grid.mark((columns.places["value"],))
    lines: dict[str, int] = {}
    rows: list[FileRow] = []
    for row in grid.rows:
        symbol, value = str(row.cells[places["symbol"]] or "")[:40], None
        try:
            symbol = cell_symbol(row.cells[places["symbol"]])
            value = number_of(row.cells[places["value"]], mark, "signal").value
            if not 0 <= value <= 1:
                raise BadCell("signal", f"{value} is outside 0 to 1", "Numerai's signals are from 0 to 1")
            if symbol in lines:
                raise BadCell("symbol", f"{symbol} stands in line {lines[symbol]} too", "keep one of the rows")
        except BadCell as error:
            rows.append(FileRow(row.line, symbol, "score", None, source, str(error), error.hint))
            continue
        finally:
            lines.setdefault(symbol, row.line)
        score = float(2 * value - Decimal(1))
        name = computed_id(source, symbol, time_text(written_at), score, CONFIDENCE)
        signal = Signal(name, symbol, score, CONFIDENCE, source, written_at + ahead)
        rows.append(FileRow(row.line, symbol, "score", 2 * value - Decimal(1), source, signal=signal))
    return SignalFile("numerai", tuple(rows))
