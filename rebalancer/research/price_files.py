"""Read prices into a `Market`: CSV and Parquet, wide or long, frames of pandas, Alpaca's bars as JSON, whole folders.

wide     a column of times, then one column of closes for each symbol; every row is a bar
long     timestamp, symbol, close, and open, volume and vwap if there are any (also by Alpaca's names: t, c, o, v, vw)
single   timestamp, open, high, low, close, volume: one symbol, called like the file
JSON     {"bars": {"AAPL": [{"t": ..., "o": ..., "c": ..., "v": ...}]}}, as Alpaca's endpoint answers

An empty cell is a bar without a price of that name: it cannot be traded there and keeps its last value; the count is
in the result. Unsorted or repeated times, and prices that are not above zero, are refused with the place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_json_file
from rebalancer.research.bar_times import BarTimes, read_times
from rebalancer.research.market import Floats, Integers, Market
from rebalancer.research.price_table import (
    PriceTable,
    prices_of_column,
    range_of_columns,
    read_table_file,
    table_of_frame,
    volumes_of_column,
)
from rebalancer.research.splits import SplitStep, split_words, suspected_splits, unexplained
from rebalancer.signals.formats.cells import cell_symbol
from rebalancer.signals.formats.grid import plain_name
from rebalancer.signals.formats.recognise import SYMBOL
from rebalancer.signals.signal_row import BadCell

if TYPE_CHECKING:
    from pandas import DataFrame

TIMES: Final = ("timestamp", "date", "datetime", "time", "t", "index", "", "unnamed:_0")
CLOSE: Final = ("close", "c", "price")
ADJUSTED: Final = ("adj_close", "adjusted_close", "adjclose")
OPEN: Final = ("open", "o")
VOLUME: Final = ("volume", "v")
VWAP: Final = ("vwap", "vw")
LOW: Final = ("low", "l")
HIGH: Final = ("high", "h")
EXTRA: Final = ("open", "volume", "vwap", "low", "high")  # columns of a market beside the closes
SINGLE: Final = {"open", "high", "low", "close"}


class PriceHistory(NamedTuple):
    """A market, and what was said about its source. `is_daily`: its bars are days. `counts`: what a policy was applied
    to, by its name. `warnings`: sentences. `steps`: what looks like splits."""

    market: Market
    is_daily: bool
    place: str
    counts: Mapping[str, int] = {}
    warnings: tuple[str, ...] = ()
    steps: tuple[SplitStep, ...] = ()


class _Rows(NamedTuple):
    """Long rows: one price each."""

    times: BarTimes
    symbols: Sequence[str]
    close: Floats
    open: Floats | None
    volume: Floats | None
    adjusted: Floats | None = None
    vwap: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None


def read_prices(source: Path | DataFrame | PriceHistory) -> PriceHistory:
    """Read a file, a folder of files or a frame; what was read already is returned. Raises BadDocument naming file,
    line or row, and column."""
    if isinstance(source, PriceHistory):
        return source
    if not isinstance(source, Path):
        return _of_table(table_of_frame(source, "prices"), "prices")
    if source.is_dir():
        return _of_folder(source)
    if source.suffix.lower() == ".json":
        return _of_alpaca(read_json_file(source), str(source))
    return _of_table(read_table_file(source), source.stem)


def between(history: PriceHistory, first: date | None, last: date | None) -> PriceHistory:
    """The bars from one day to another, both included, New York's. Raises BadDocument when none are left."""
    days = history.market.day
    kept = np.ones(len(days), dtype=bool)
    if first is not None:
        kept &= days >= first.toordinal()
    if last is not None:
        kept &= days <= last.toordinal()
    if not kept.any():
        known = f"{date.fromordinal(int(days[0]))} to {date.fromordinal(int(days[-1]))}"
        raise BadDocument("--from, --to", "leave no bar", f"{history.place} has {known}")
    return history._replace(market=rows_of(history.market, kept))


def explained(history: PriceHistory, known: Collection[tuple[int, str]]) -> PriceHistory:
    """The history without the suspicion about splits that are known, by day and symbol."""
    left = unexplained(history.steps, known)
    others = tuple(text for text in history.warnings if text not in split_words(history.steps))
    counts = {**history.counts, "suspected_splits": len(left)}
    return history._replace(counts=counts, warnings=(*others, *split_words(left)), steps=left)


def rows_of(market: Market, kept: Any) -> Market:
    """The market with some of its bars alone. kept: a mask or a slice."""
    day = market.day[kept]
    return market._replace(
        times=market.times[kept],
        close=market.close[kept],
        open=None if market.open is None else market.open[kept],
        volume=None if market.volume is None else market.volume[kept],
        vwap=None if market.vwap is None else market.vwap[kept],
        low=None if market.low is None else market.low[kept],
        high=None if market.high is None else market.high[kept],
        day=day,
        is_last_of_day=last_of_day(day),
    )


def last_of_day(day: Integers) -> Any:
    """Whether the next bar belongs to another day."""
    return np.append(day[1:] != day[:-1], True) if len(day) else np.zeros(0, dtype=bool)


def _of_table(table: PriceTable, name: str) -> PriceHistory:
    columns = {plain_name(str(column)): str(column) for column in table.frame.columns}
    symbol = next((columns[word] for word in SYMBOL if word in columns), None)
    if symbol is not None:
        return _of_rows(_long(table, columns, symbol), table)
    if columns.keys() >= SINGLE:
        return _of_rows(_long(table, columns, None, name), table)
    return _wide(table)


def _wide(table: PriceTable) -> PriceHistory:
    first, *others = (str(column) for column in table.frame.columns)
    if plain_name(first) not in TIMES:
        hint = "call the first column timestamp or date, or give the columns timestamp, symbol and close"
        raise BadDocument(f"{table.place}: {first[:40]!r}", "is not a column of times", hint)
    times = read_times(table.frame[first].tolist(), lambda i: table.where(i, first))
    refuse_disorder(times.ns, lambda i: table.where(i, first), table.frame[first].tolist())
    symbols = _symbols(others, table.place)
    close = np.column_stack([prices_of_column(table, column) for column in others])
    order = sorted(range(len(symbols)), key=lambda i: symbols[i])
    market = Market(
        tuple(symbols[i] for i in order), times.ns, np.ascontiguousarray(close[:, order]), None, None, times.day,
        last_of_day(times.day),
    )  # fmt: skip
    return _finished(market, times, table.place, table.where)


def _long(table: PriceTable, columns: Mapping[str, str], symbol: str | None, name: str = "") -> _Rows:
    at = {
        what: next((columns[word] for word in words if word in columns), None)
        for what, words in (
            ("time", TIMES),
            ("close", CLOSE),
            ("open", OPEN),
            ("volume", VOLUME),
            ("adj", ADJUSTED),
            ("vwap", VWAP),
            ("low", LOW),
            ("high", HIGH),
        )
    }
    time, close = at["time"], at["close"] or at["adj"]
    if time is None or close is None:
        missing = "timestamp" if time is None else "close"
        raise BadDocument(table.place, f"has no column {missing}", "columns: timestamp, symbol, close, open, volume")
    named = [name] * len(table.frame) if symbol is None else table.frame[symbol].tolist()
    known: dict[object, str] = {}
    for i, cell in enumerate(named):
        if cell not in known:
            try:
                known[cell] = cell_symbol(None if cell != cell else cell)
            except BadCell as error:
                raise BadDocument(table.where(i, symbol or ""), error.problem, error.hint) from None
    cells = table.frame[time].tolist()
    where = {cell: i for i, cell in reversed(list(enumerate(cells)))}
    distinct = list(where)
    found = read_times(distinct, lambda i: table.where(where[distinct[i]], time))
    place = {cell: i for i, cell in enumerate(distinct)}
    rows = np.array([place[cell] for cell in cells], dtype=np.int64)
    times = found._replace(ns=found.ns[rows], day=found.day[rows])
    return _Rows(
        times,
        [known[cell] for cell in named],
        prices_of_column(table, close),
        None if at["open"] is None else prices_of_column(table, at["open"]),
        None if at["volume"] is None else volumes_of_column(table, at["volume"]),
        None if at["adj"] is None or at["adj"] == close else prices_of_column(table, at["adj"]),
        None if at["vwap"] is None else prices_of_column(table, at["vwap"]),
        *range_of_columns(table, at["low"], at["high"]),
    )


def _of_rows(rows: _Rows, table: PriceTable) -> PriceHistory:
    """Long rows as a market. Raises BadDocument for a symbol whose rows are out of order or repeated."""
    symbols = tuple(sorted(set(rows.symbols)))
    column = {symbol: i for i, symbol in enumerate(symbols)}
    names = np.array([column[symbol] for symbol in rows.symbols], dtype=np.int64)
    ns, first, bars = np.unique(rows.times.ns, return_index=True, return_inverse=True)
    latest = np.full(len(symbols), -1, dtype=np.int64)
    for i, (bar, name) in enumerate(zip(bars.tolist(), names.tolist(), strict=True)):
        if bar <= latest[name]:
            problem = "stands twice" if bar == latest[name] else "is earlier than the row of this symbol before it"
            raise BadDocument(
                table.where(i), f"{symbols[name]}: its time {problem}", "sort the rows by time and keep one for each"
            )
        latest[name] = bar

    def spread(values: Floats | None) -> Floats | None:
        if values is None:
            return None
        found = np.full((len(ns), len(symbols)), np.nan)
        found[bars, names] = values
        return found

    close, others = rows.close, {name: getattr(rows, name) for name in ("open", "vwap", "low", "high")}
    warnings: tuple[str, ...] = ()
    if rows.adjusted is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            others = {name: None if p is None else p * rows.adjusted / close for name, p in others.items()}
        close, warnings = rows.adjusted, ("adjusted closes are used, and opens, highs and lows on their scale",)
    wide = spread(close)
    assert wide is not None
    day = rows.times.day[first]
    market = Market(
        symbols=symbols, times=ns, close=wide, volume=spread(rows.volume), day=day, is_last_of_day=last_of_day(day),
        **{name: spread(prices) for name, prices in others.items()},
    )  # fmt: skip
    return _finished(market, rows.times, table.place, lambda bar: table.where(int(first[bar])), warnings)


def _of_folder(folder: Path) -> PriceHistory:
    """One symbol a file, joined on their times."""
    import pandas

    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".parquet"))
    if not files:
        raise BadDocument(str(folder), "holds no .csv and no .parquet file", "name each for its symbol: AAPL.csv")
    parts = []
    for path in files:
        history = _of_table(read_table_file(path), path.stem)
        market = history.market
        for i, symbol in enumerate(market.symbols):
            columns = {"timestamp": market.times, "day": market.day, "close": market.close[:, i]}
            columns |= {name: column[:, i] for name in EXTRA if (column := getattr(market, name)) is not None}
            parts.append((pandas.DataFrame(columns).assign(symbol=symbol), history.is_daily, path))
    if len({is_daily for _, is_daily, _ in parts}) > 1:
        odd = next(path for _, is_daily, path in parts if is_daily != parts[0][1])
        raise BadDocument(str(odd), "holds days where other files hold times, or the reverse", "give one kind of bars")
    frame = pandas.concat([part for part, _, _ in parts], ignore_index=True)
    times = BarTimes(frame["timestamp"].to_numpy(np.int64), frame["day"].to_numpy(np.int64), parts[0][1])
    extra = {name: frame[name].to_numpy(np.float64) if name in frame else None for name in EXTRA}
    rows = _Rows(times, frame["symbol"].tolist(), frame["close"].to_numpy(np.float64), **extra)
    return _of_rows(rows, PriceTable(frame, str(folder), 1, "row"))


def _of_alpaca(document: object, place: str) -> PriceHistory:
    """Bars as Alpaca's market-data API answers, of several symbols or of one."""
    import pandas

    bars = document.get("bars") if isinstance(document, dict) else None
    if isinstance(bars, list) and isinstance(document, dict) and isinstance(document.get("symbol"), str):
        bars = {document["symbol"]: bars}
    if not isinstance(bars, dict) or not all(isinstance(rows, list) for rows in bars.values()):
        hint = '{"bars": {"AAPL": [{"t": "2026-11-20T14:30:00Z", "o": 1, "c": 2, "v": 3}]}}'
        raise BadDocument(place, "does not hold bars as Alpaca writes them", hint)
    rows = [{**row, "symbol": symbol} for symbol, of in bars.items() for row in of if isinstance(row, dict)]
    if not rows:
        raise BadDocument(place, "holds no bars", "was anything traded in that time?")
    history = _of_table(table_of_frame(pandas.DataFrame(rows), place), place)
    if isinstance(document, dict) and document.get("next_page_token"):
        more = "it has a next_page_token: there are more bars than it holds"
        return history._replace(warnings=(*history.warnings, more))
    return history


def _symbols(names: Sequence[str], place: str) -> list[str]:
    found: list[str] = []
    for name in names:
        try:
            symbol = cell_symbol(name, "symbol")
        except BadCell as error:
            raise BadDocument(f"{place}: {name[:40]!r}", f"is no symbol: {error.problem}", error.hint) from None
        if symbol in found:
            raise BadDocument(f"{place}: {name[:40]!r}", f"{symbol} has two columns", "keep one of them")
        found.append(symbol)
    return found


def refuse_disorder(ns: Integers, where: Any, cells: Sequence[object]) -> None:
    """Raise BadDocument for a time that is not after the one before it."""
    wrong = np.flatnonzero(ns[1:] <= ns[:-1])
    if wrong.size:
        i = int(wrong[0]) + 1
        if ns[i] == ns[i - 1]:
            raise BadDocument(where(i), f"{cells[i]} stands twice", "keep one row for each time")
        raise BadDocument(where(i), f"{cells[i]} is earlier than the row before it", "sort the rows by time")


def _finished(market: Market, times: BarTimes, place: str, where: Any, warnings: tuple[str, ...] = ()) -> PriceHistory:
    """The market with its counts: gaps, and steps that look like splits."""
    missing = np.isnan(market.close)
    empty = missing.all(axis=0)
    if empty.any():
        name = market.symbols[int(np.argmax(empty))]
        raise BadDocument(f"{place}: {name}", "has no price at all", "leave the symbol out")
    counts = {"missing_prices": int(missing.sum()), "bars_without_prices": int(missing.all(axis=1).sum())}
    said = list(warnings)
    if counts["missing_prices"]:
        said.append(
            f"{counts['missing_prices']} prices are missing: such a bar does not trade the name, which keeps its value"
        )
    if times.is_naive:
        said.append("the times have no offset and are read as New York's")
    if times.offsets > 2:
        said.append(f"the times have {times.offsets} different offsets; all are converted to UTC")
    if market.open is not None and market.low is not None and market.high is not None:
        out = market.low > np.fmin(market.open, market.close), market.high < np.fmax(market.open, market.close)
        counts["ranges_widened"] = int((out[0] | out[1]).sum())
    steps = suspected_splits(market, where)
    counts["suspected_splits"] = len(steps)
    return PriceHistory(market, times.is_daily, place, counts, (*said, *split_words(steps)), steps)
