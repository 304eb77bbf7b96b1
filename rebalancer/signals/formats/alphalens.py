"""A factor as alphalens and qlib keep it: date, asset, value. The values of the newest date are ranked.

The rank becomes a score as in `sample`: strong in both outer fifths, neutral in the middle. An empty value is no
opinion. The columns that alphalens adds (forward returns, quantiles) are not read. The scores count as issued when the
file was written, but no later than the end of their own day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.core.values import decimal_near, time_text
from rebalancer.signals.formats.cells import cell_symbol, number_of
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.recognise import FileColumns
from rebalancer.signals.formats.signal_file import FileRow, SignalFile
from rebalancer.signals.formats.targets import newest
from rebalancer.signals.ranking import ranked, shaped
from rebalancer.signals.signal_row import BadCell, computed_id

CONFIDENCE = 1.0
_DAY = timedelta(days=1)


def read_factor(
    grid: Grid, columns: FileColumns, source: str, now: datetime, written_at: datetime, ahead: timedelta
) -> SignalFile:
    """Read a factor as scores. now: as for `targets.read_long`; ahead: as for `signal_of_row`. Raises BadDocument when
    fewer than two values are there, since a single name has no rank."""
    places = columns.places
    rows, as_of, warnings = newest(grid, places["date"], now)
    mark = grid.mark((places["value"],))
    found: list[FileRow] = []
    values: list[float] = []
    lines: dict[str, int] = {}
    for row in rows:
        if row.cells[places["value"]] is None:
            continue
        faults: list[BadCell] = []
        symbol, value = str(row.cells[places["symbol"]] or "")[:40], Decimal(0)
        try:
            symbol = cell_symbol(row.cells[places["symbol"]])
        except BadCell as error:
            faults.append(error)
        try:
            value = number_of(row.cells[places["value"]], mark, "factor").value
        except BadCell as error:
            faults.append(error)
        if symbol in lines:
            faults.append(BadCell("symbol", f"{symbol} stands in line {lines[symbol]} too", "keep one of the rows"))
        lines.setdefault(symbol, row.line)
        problem = "; ".join(str(fault) for fault in faults) or None
        found.append(FileRow(row.line, symbol, "score", None, source, problem, faults[0].hint if faults else ""))
        values.append(float(value))
    if len(found) < 2:
        problem = f"has {len(found)} values of its newest date, and a rank takes two"
        raise BadDocument(grid.place, problem, "give the factor of all names")
    if any(row.problem for row in found) or as_of is None:
        return SignalFile("alphalens", tuple(found), as_of=as_of, warnings=warnings)
    scores = np.round(shaped(ranked(np.array(values))), 4) + 0.0
    issued_at = min(written_at, as_of + _DAY) + ahead
    scored = [_scored(row, float(score), as_of, issued_at) for row, score in zip(found, scores, strict=True)]
    return SignalFile("alphalens", tuple(scored), as_of=as_of, warnings=warnings)


def _scored(row: FileRow, score: float, as_of: datetime, issued_at: datetime) -> FileRow:
    name = computed_id(row.source, row.symbol, time_text(as_of), score, CONFIDENCE)
    signal = Signal(name, row.symbol, score, CONFIDENCE, row.source, issued_at)
    return row._replace(value=decimal_near(score), signal=signal)
