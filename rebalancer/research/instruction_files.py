"""Target weights and scores over time, from every format of `signals.formats`.

A file with dates is read date by date, each with the reader that a live cycle would use on that day; plain tables of
weights, wide or long, are read in one go. A file without dates counts from the first bar. A day of target weights
begins at midnight in New York; a day of a factor or of positions is known at its end, 16:00.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.new_york import from_new_york, in_new_york
from rebalancer.core.rules import Rules
from rebalancer.core.schedule import CLOSES
from rebalancer.ops.files import read_settled_bytes
from rebalancer.research.alignment import Aligned, Books, Events, align_books, align_events, named_prices
from rebalancer.research.bar_times import moment_at, nanoseconds, read_times
from rebalancer.research.market import Floats, Integers, Market
from rebalancer.research.price_files import TIMES, refuse_disorder
from rebalancer.research.price_table import PriceTable, numbers_of_column, read_table_file, table_of_frame
from rebalancer.signals.formats.cells import cell_symbol, moment_of
from rebalancer.signals.formats.csv_grid import csv_grid
from rebalancer.signals.formats.frames import grid_of_frame
from rebalancer.signals.formats.grid import Grid, GridRow, plain_name
from rebalancer.signals.formats.parquet_grid import parquet_grid
from rebalancer.signals.formats.read_file import Context, read_file, read_grid
from rebalancer.signals.formats.recognise import (
    DATE,
    EITHER_PERCENT,
    FACTOR,
    NUMERAI,
    OPINION,
    PERCENT,
    SYMBOL,
    WEIGHT,
    recognise,
)
from rebalancer.signals.formats.signal_file import FileRow, SignalFile
from rebalancer.signals.formats.targets import SUM_MAX, WEIGHT_MAX
from rebalancer.signals.signal_row import BadCell

if TYPE_CHECKING:
    from pandas import DataFrame

TABLES: Final = (".csv", ".tsv", ".parquet")
AT_THE_END: Final = ("alphalens", "pyfolio")  # a day's values are known at its close
NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)


class InstructionHistory(NamedTuple):
    """Aligned instructions, the format they came in, and what was said about it, as in `PriceHistory`."""

    aligned: Aligned
    format: str
    place: str
    counts: dict[str, int]
    warnings: tuple[str, ...] = ()


class _Raw(NamedTuple):
    """What a file says, before it is aligned. `unit`: its own `weights_of`."""

    format: str
    content: Books | Events
    complete: bool = False
    unit: str | None = None
    warnings: tuple[str, ...] = ()
    holds: int = 0


def read_instructions(source: Path | DataFrame, market: Market, rules: Rules) -> InstructionHistory:
    """Read and align a file or a frame. Raises BadDocument naming file, line or row, and column."""
    place = str(source) if isinstance(source, Path) else "instructions"
    raw = _read(source, market, rules)
    warnings = list(raw.warnings)
    if isinstance(raw.content, Books):
        books = _in_rules_unit(_completed(raw.content) if raw.complete else raw.content, raw.unit, rules)
        aligned = align_books(market, books, place, rules.signals.targets_max_age)
    else:
        aligned = align_events(market, raw.content, rules.signals.max_age_minutes, place)
    wanted = np.nan_to_num(aligned.instructions.value) != 0
    counts = {
        "instructions_after_last_bar": aligned.unused,
        "stale_scores": 0 if isinstance(raw.content, Books) else aligned.stale,
        "stale_targets": aligned.stale if isinstance(raw.content, Books) else 0,
        "wanted_without_price": int((wanted & np.isnan(market.close)).sum()),
        "holds_without_score": raw.holds,
    }
    if aligned.unused:
        warnings.append(f"{aligned.unused} instructions are later than the last bar and are not used")
    return InstructionHistory(aligned, raw.format, place, counts, tuple(warnings))


def names_of(source: Path, rules: Rules, now: datetime) -> tuple[str, ...]:
    """The symbols that a file names, whatever their prices. Raises BadDocument as `read_instructions` does."""
    ends = np.array([0, nanoseconds(now)], dtype=np.int64)
    empty = np.zeros((2, 0))
    nothing = Market((), ends, empty, None, None, ends, ends > 0)
    return _read(source, nothing, rules).content.symbols


def _in_rules_unit(books: Books, unit: str | None, rules: Rules) -> Books:
    """Weights as fractions of what the rules say they are fractions of."""
    unit = unit or rules.signals.weights_of
    if unit == rules.signals.weights_of:
        return books
    scaling = rules.position_sizing.capital_scaling
    return books._replace(weights=books.weights * (scaling if unit == "capital" else 1 / scaling))


def _completed(books: Books) -> Books:
    return books._replace(weights=np.nan_to_num(books.weights))


def _read(source: Path | DataFrame, market: Market, rules: Rules) -> _Raw:
    if not isinstance(source, Path):
        found = _plain_table(table_of_frame(source, "instructions"))
        return found or _dated(grid_of_frame(source, "instructions"), "instructions", market)
    if source.suffix.lower() in TABLES:
        table = read_table_file(source)
        found = _plain_table(table)
        if found is not None:
            return found
        grid = _grid(source)
        columns = recognise(grid) if grid is not None else None
        if grid is not None and columns is not None and columns.format != "scores":
            return _dated(grid, source.stem, market)
    if source.suffix.lower() == ".xlsx":
        from rebalancer.signals.formats.excel_grid import excel_grid

        return _dated(excel_grid(read_settled_bytes(source, 1 << 30).body, str(source)), source.stem, market)
    return _whole_file(source, market, rules)


def _grid(path: Path) -> Grid | None:
    body = read_settled_bytes(path, 1 << 30).body
    if path.suffix.lower() == ".parquet":
        return parquet_grid(body, str(path))
    try:
        return csv_grid(body.decode("utf-8-sig"), str(path))
    except (BadDocument, UnicodeDecodeError):
        return None  # the reader of scores says what is wrong


def _plain_table(table: PriceTable) -> _Raw | None:
    """Weights as a plain table, wide or long; None for anything else."""
    names = [plain_name(str(column)) for column in table.frame.columns]
    words = set(names)
    if words & {*OPINION, *FACTOR, *NUMERAI, *EITHER_PERCENT, "cash", "source", "signal"}:
        return None
    complete, unit = table.notes.get("complete") == "true", table.notes.get("weights_of")
    symbol = next((i for i, name in enumerate(names) if name in SYMBOL), None)
    if symbol is None:
        if names[0] not in TIMES or words & {*WEIGHT, *PERCENT}:
            return None
        return _Raw("targets_wide", _wide_books(table), complete, unit)
    when = next((i for i, name in enumerate(names) if name in DATE and i != symbol), None)
    value = next((i for i, name in enumerate(names) if name in (*WEIGHT, *PERCENT)), None)
    if when is None or value is None or len(names) != 3:
        return None
    columns = [str(column) for column in table.frame.columns]
    books = _long_books(table, columns[when], columns[symbol], columns[value], percent=names[value] in PERCENT)
    return _Raw("targets_long", books, complete, unit)


def _starts(table: PriceTable, column: str) -> Integers:
    """The times of a column; a day begins at midnight in New York."""
    times = read_times(table.frame[column].tolist(), lambda i: table.where(i, column))
    return _midnights(times.day) if times.is_daily else times.ns


def _midnights(ordinals: Integers, at: time = time(0)) -> Integers:
    distinct, back = np.unique(ordinals, return_inverse=True)
    found = [nanoseconds(from_new_york(date.fromordinal(int(day)), at)) for day in distinct]
    return np.array(found, dtype=np.int64)[back]


def _wide_books(table: PriceTable) -> Books:
    first, *others = (str(column) for column in table.frame.columns)
    ns = _starts(table, first)
    refuse_disorder(ns, lambda i: table.where(i, first), table.frame[first].tolist())
    symbols: list[str] = []
    for name in others:
        try:
            symbols.append(cell_symbol(name))
        except BadCell as error:
            raise BadDocument(f"{table.place}: {name[:40]!r}", error.problem, error.hint) from None
    if len(set(symbols)) != len(symbols):
        twice = next(name for name in symbols if symbols.count(name) > 1)
        raise BadDocument(table.place, f"{twice} has two columns", "keep one of them")
    weights = np.column_stack([numbers_of_column(table, column, "a weight") for column in others])
    _refuse_large(weights, lambda row, name: table.where(row, others[name]), table.where)
    return Books(ns, tuple(symbols), weights)


def _long_books(table: PriceTable, when: str, symbol: str, value: str, *, percent: bool) -> Books:
    import pandas

    ns = _starts(table, when)
    codes, distinct = pandas.factorize(table.frame[symbol])
    known: list[str] = []
    for code, cell in enumerate(distinct):
        try:
            known.append(cell_symbol(cell))
        except BadCell as error:
            row = int(np.argmax(codes == code))
            raise BadDocument(table.where(row, symbol), error.problem, error.hint) from None
    if (codes < 0).any():
        raise BadDocument(table.where(int(np.argmax(codes < 0)), symbol), "is missing", "every row needs a symbol")
    symbols = tuple(dict.fromkeys(known))
    place = np.array([symbols.index(name) for name in known], dtype=np.int64)[codes]
    weight = numbers_of_column(table, value, "a weight") / (100 if percent else 1)
    if np.isnan(weight).any():
        row = int(np.argmax(np.isnan(weight)))
        raise BadDocument(table.where(row, value), "is missing", "write a number, or leave the row out")
    times, row_of = np.unique(ns, return_inverse=True)
    cells = row_of.astype(np.int64) * len(symbols) + place
    _, first, count = np.unique(cells, return_index=True, return_counts=True)
    if (count > 1).any():
        row = int(np.flatnonzero(cells == cells[first[int(np.argmax(count > 1))]])[1])
        problem = f"{symbols[place[row]]} stands twice at {table.frame[when].iloc[row]}"
        raise BadDocument(table.where(row, symbol), problem, "keep one of the rows")
    weights = np.full((len(times), len(symbols)), np.nan)
    weights[row_of, place] = weight
    _refuse_large(weights, lambda row, _: table.where(int(np.argmax(row_of == row)), value), table.where)
    return Books(times, symbols, weights)


def _refuse_large(weights: Floats, where: object, where_row: object) -> None:
    assert callable(where)
    assert callable(where_row)
    with np.errstate(invalid="ignore"):
        large = np.abs(weights) > float(WEIGHT_MAX)
    if large.any():
        row, name = (int(i) for i in np.argwhere(large)[0])
        problem = f"{weights[row, name]:g} is above {WEIGHT_MAX}: percent?"
        raise BadDocument(where(row, name), problem, "write the fraction: 0.25, or per cent signs")
    sums = np.nansum(np.abs(weights), axis=1)
    if (sums > float(SUM_MAX)).any():
        row = int(np.argmax(sums > float(SUM_MAX)))
        raise BadDocument(where(row, 0), f"the weights sum to {sums[row]:g}, above {SUM_MAX}: percent?", "see weights")


def _dated(grid: Grid, source: str, market: Market) -> _Raw:
    """A grid read date by date, each date as on its own day."""
    columns = recognise(grid)
    if columns is None:
        raise BadDocument(
            grid.place, "the columns have no meaning here", "use a date and symbols, or symbol and weight"
        )
    at = columns.places.get("date")
    if at is None or columns.format == "scores":
        found = read_grid(grid, source, Context(moment_at(int(market.times[-1]))), NO_TIME)
        return _of_files([(None, found)], market)
    groups: dict[datetime, list[GridRow]] = {}
    for row in grid.rows:
        try:
            moment = moment_of(row.cells[at], grid.columns[at] or "date")
        except BadCell as error:
            raise BadDocument(f"{grid.place}:{row.line}: {error.column}", error.problem, error.hint) from None
        groups.setdefault(moment, []).append(row)
    files = []
    for moment, rows in sorted(groups.items()):
        found = read_grid(grid._replace(rows=tuple(rows)), source, Context(moment), moment)
        day = _ends(moment) if columns.format in AT_THE_END else moment
        files.append((day, found))
    return _of_files(files, market, is_day=columns.format in AT_THE_END)


def _ends(moment: datetime) -> datetime:
    """The close of a day; a time within a day stays."""
    local = in_new_york(moment)
    return from_new_york(local.date(), CLOSES) if local.time() == time(0) else moment


def _whole_file(path: Path, market: Market, rules: Rules) -> _Raw:
    """A file that one reader reads as a whole: scores, alerts, JSON."""
    context = Context(moment_at(int(market.times[-1])), mappings=rules.signals.mappings)
    content = read_file(path, context)
    _refuse_problems(content.found.rows, content.found, content.where)
    if any(row.signal is not None for row in content.found.rows):
        undated = [i for i, row in enumerate(content.found.rows) if row.signal is not None]
        written = content.written_at
        late = [i for i in undated if content.found.rows[i].signal.issued_at == written]  # type: ignore[union-attr]
        if late:
            hint = "give every score its issued_at: without it nobody knows at which bar it was known"
            raise BadDocument(content.where(late[0]), "has no time", hint)
    return _of_files([(content.found.as_of, content.found)], market)


def _refuse_problems(rows: Sequence[FileRow], found: SignalFile, where: object) -> None:
    assert callable(where)
    for i, row in enumerate(rows):
        if row.problem is not None:
            raise BadDocument(where(i), row.problem, row.hint)
    if found.problems:
        raise BadDocument(where(0).partition(":")[0] if rows else "instructions", found.problems[0])


def _of_files(files: Sequence[tuple[datetime | None, SignalFile]], market: Market, *, is_day: bool = False) -> _Raw:
    """What was read at each moment, together; None counts from the first bar."""
    if not files:
        raise BadDocument("instructions", "have no rows", "was the file written completely?")
    for _, found in files:
        _refuse_problems(found.rows, found, lambda i, found=found: f"line {found.rows[i].line}")
    first = files[0][1]
    sources = sorted({row.source for _, found in files for row in found.rows})
    if len(sources) > 1:
        problem = f"have several sources: {', '.join(sources[:5])}"
        raise BadDocument("instructions", problem, "backtest one source at a time")
    symbols = tuple(sorted({row.symbol for _, found in files for row in found.rows}))
    place = {symbol: i for i, symbol in enumerate(symbols)}
    start = int(market.times[0])
    warnings = list(dict.fromkeys(warning for _, found in files for warning in found.warnings))
    if any(row.signal is not None for _, found in files for row in found.rows):
        rows = [(moment, row.signal) for moment, found in files for row in found.rows if row.signal is not None]
        kept = [(moment, signal) for moment, signal in rows if not signal.hold]
        times = [nanoseconds(moment if is_day and moment is not None else s.issued_at) for moment, s in kept]
        stops, goals = (named_prices([getattr(s, name) for _, s in kept]) for name in ("stop_price", "target_price"))
        events = Events(
            np.array(times, dtype=np.int64),
            symbols,
            np.array([place[s.symbol] for _, s in kept], dtype=np.int64),
            np.array([s.score for _, s in kept]),
            np.array([s.confidence for _, s in kept]),
            is_day,
            stops,
            goals,
        )
        return _Raw(first.format, events, warnings=tuple(warnings), holds=len(rows) - len(kept))
    weights = np.full((len(files), len(symbols)), np.nan)
    for k, (_, found) in enumerate(files):
        for row in found.rows:
            weights[k, place[row.symbol]] = float(row.value) if row.value is not None else np.nan
    ns = np.array([start if moment is None else nanoseconds(moment) for moment, _ in files], dtype=np.int64)
    if any(moment is None for moment, _ in files):
        warnings.append("the weights have no date: they count from the first bar")
    books = Books(ns, symbols, weights)
    return _Raw(first.format, books, first.complete, first.weights_of, tuple(warnings))
