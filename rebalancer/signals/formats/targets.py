"""Target weights: checked one by one and together. Also the long form, with one row for each symbol.

A weight is a fraction: 0.25. A column called percent, or per cent signs in the cells, mean per cent; both, or signs in
some cells only, are refused. With a date column the rows of the newest date that is not after now count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.values import ZERO, text_of
from rebalancer.signals.formats.cells import Cell, CellNumber, DecimalMark, cell_symbol, moment_of, number_of
from rebalancer.signals.formats.grid import Grid, GridRow
from rebalancer.signals.formats.recognise import FileColumns
from rebalancer.signals.formats.signal_file import FileRow, SeveralReadings, SignalFile
from rebalancer.signals.signal_row import SOURCE, BadCell

WEIGHT_MAX: Final = Decimal(5)
SUM_MAX: Final = Decimal(20)
HUNDRED: Final = Decimal(100)
SKEW: Final = timedelta(seconds=5)
_NO_ROWS: Final = "is complete and has no rows: every position would be closed"


class Given(NamedTuple):
    """One target as it was written. `weight` is its cell, `symbol` the cell of the symbol or a canonical symbol."""

    line: int
    symbol: Cell
    weight: Cell
    source: str


def read_long(grid: Grid, columns: FileColumns, source: str, now: datetime) -> SignalFile:
    """Read target weights with one row for each symbol. now: aware; the rows of a later date do not count yet. Raises
    BadDocument for dates that cannot be read."""
    places = columns.places
    rows, as_of, warnings = newest(grid, places.get("date"), now)
    place = places.get("weight", places.get("percent", 0))
    given = [
        Given(row.line, row.cells[places["symbol"]], row.cells[place], _source(row, places, source)) for row in rows
    ]
    return checked(given, "targets_long", grid, grid.mark((place,)), as_of, warnings, percent="percent" in places)


def newest(
    grid: Grid, date_place: int | None, now: datetime
) -> tuple[Sequence[GridRow], datetime | None, tuple[str, ...]]:
    """The rows of the newest date that is not after now, that date, and warnings; all rows when there is no date.
    Raises BadDocument for a date that cannot be read, and when every date is after now."""
    if date_place is None:
        return grid.rows, None, ()
    found: dict[datetime, list[GridRow]] = {}
    for row in grid.rows:
        try:
            moment = moment_of(row.cells[date_place], grid.columns[date_place] or "date")
        except BadCell as error:
            raise BadDocument(f"{grid.place}:{row.line}: {error.column}", error.problem, error.hint) from None
        found.setdefault(moment, []).append(row)
    if not found:
        return (), None, ()
    past = [moment for moment in found if moment <= now + SKEW]
    if not past:
        problem = f"every date is in the future, the first one {min(found).isoformat()}"
        raise BadDocument(grid.place, problem, "add the targets that hold now")
    later = len(found) - len(past)
    warnings = (f"{later} dates are in the future and do not count yet",) if later else ()
    return found[max(past)], max(past), warnings


def _source(row: GridRow, places: Mapping[str, int], source: str) -> str:
    if "source" not in places:
        return source
    return str(row.cells[places["source"]] or source).strip()


def checked(
    given: Iterable[Given],
    name: str,
    grid: Grid,
    mark: DecimalMark,
    as_of: datetime | None = None,
    warnings: tuple[str, ...] = (),
    *,
    percent: bool = False,
    exact: bool = False,
) -> SignalFile:
    """All targets of a file, each with its problem. percent: the numbers are in per cent. exact: CASH is a ticker."""
    given = list(given)
    rows, numbers = [], list[CellNumber]()
    for one in given:
        row, number = _row(one, mark, exact=exact)
        rows.append(row)
        numbers += [] if number is None else [number]
    problems = [] if (mixed := _mixed(numbers, percent=percent)) is None else [mixed]
    parts = HUNDRED if percent or any(number.is_percent for number in numbers) else Decimal(1)
    rows = _without_duplicates([_within(row, parts) for row in rows])
    total = sum((abs(row.value) for row in rows if row.value is not None), ZERO)
    if total > SUM_MAX:
        problems.append(f"the weights sum to {text_of(total)}, above {SUM_MAX}: percent? Then call the column percent")
    complete, close_all = grid.flag("complete"), grid.flag("close_all")
    if complete and not rows and not close_all:
        raise BadDocument(grid.place, _NO_ROWS, "say close_all: true as well if that is meant")
    found = SignalFile(name, tuple(rows), complete, close_all, grid.weights_of(), as_of, warnings, tuple(problems))
    return found._replace(warnings=(*warnings, *sum_warning(found))) if not problems else found


def sum_warning(found: SignalFile) -> tuple[str, ...]:
    """What is said when the weights sum to more than all there is; they are then scaled to the caps."""
    total = sum((abs(row.value) for row in found.rows if row.value is not None), ZERO)
    if total <= 1:
        return ()
    unit = found.weights_of or "equity"
    return (f"the weights sum to {text_of(total)} of {unit}, more than 1; what the caps do not allow is scaled down",)


def _row(given: Given, mark: DecimalMark, *, exact: bool) -> tuple[FileRow, CellNumber | None]:
    """The row with its own problems, all of them; the value is not divided by 100 yet."""
    faults: list[BadCell] = []
    symbol, number = str(given.symbol or "")[:40].strip(), None
    try:
        symbol = cell_symbol(given.symbol)
    except BadCell as error:
        faults.append(error)
    try:
        number = number_of(given.weight, mark, "weight")
    except BadCell as error:
        faults.append(error)
    if SOURCE.fullmatch(given.source) is None:
        hint = "use letters, digits, dots, dashes and underscores"
        faults.append(BadCell("source", f"{given.source[:40]!r} cannot be a source", hint))
    if symbol.upper() == "CASH" and not exact:
        both = SeveralReadings("CASH", "money that is not invested", "the stock with this ticker")
        hint = "leave money out, it is what remains; for the stock use a file of schema rebalancer.targets/1"
        faults.append(BadCell("symbol", str(both), hint))
    problem = "; ".join(str(fault) for fault in faults) or None
    hint = "; ".join(fault.hint for fault in faults if fault.hint)
    value = None if number is None else number.value
    return FileRow(given.line, symbol, "target", value, given.source, problem, hint), number


def _mixed(numbers: Sequence[CellNumber], *, percent: bool) -> str | None:
    """Why it is unclear whether the numbers are fractions or per cent; None when it is clear. A zero is both."""
    signs = {number.is_percent for number in numbers if number.value != 0}
    if percent and True in signs:
        both = SeveralReadings("the column percent", "its signs repeat what it says", "per cent of per cent")
        return f"{both}; leave the signs out, or call it weight"
    if len(signs) > 1:
        shown = next(number.value for number in numbers if not number.is_percent and number.value != 0)
        both = SeveralReadings(text_of(shown), f"{text_of(shown * HUNDRED)} %", f"{text_of(shown)} %")
        return f"some weights have a per cent sign and others have none: {both}"
    return None


def _within(row: FileRow, parts: Decimal) -> FileRow:
    """The row with its value as a fraction, and a problem when no account can have it."""
    if row.value is None:
        return row
    value = row.value / parts
    if abs(value) <= WEIGHT_MAX:
        return row._replace(value=value + 0)
    problem = f"weight: {text_of(value)[:40]} is above {WEIGHT_MAX}: percent?"
    hint = "call the column percent, or write the fraction: 0.25"
    return row._replace(
        value=value,
        problem="; ".join(filter(None, (row.problem, problem))),
        hint="; ".join(filter(None, (row.hint, hint))),
    )


def _without_duplicates(rows: list[FileRow]) -> list[FileRow]:
    """The same rows; two of one source and symbol have a problem each, also when they say the same."""
    by_subject: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        if row.symbol:
            by_subject.setdefault((row.source, row.symbol), []).append(i)
    for (_, symbol), places in by_subject.items():
        for i in places if len(places) > 1 else ():
            others = ", ".join(str(rows[k].line) for k in places if k != i)
            problem = f"symbol: {symbol} stands in line {others} too"
            rows[i] = rows[i]._replace(
                problem="; ".join(filter(None, (rows[i].problem, problem))), hint=rows[i].hint or "keep one of the rows"
            )
    return rows
