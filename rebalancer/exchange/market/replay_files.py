"""Reading recorded bars: CSV or Parquet files in a directory.

A file holds one symbol and is named for it (`AAPL.csv`, `BTC-USD.csv`), or has a `symbol` column. Columns: timestamp,
open, high, low, close and, if there is one, volume; others are ignored. Times carry an offset; plain dates are days.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content, text_of_bytes
from rebalancer.core.values import decimal_of, symbol_of, utc_of
from rebalancer.exchange.calendar import MICROS, micros_of
from rebalancer.exchange.market.replay_columns import Table, plain_tables

Column = NDArray[np.int64]
DAY: Final = 24 * 3600 * MICROS
_LONG: Final = 20 * 3600 * MICROS  # bars at least so far apart are daily ones
_NAMES: Final = {
    "timestamp": ("timestamp", "time", "datetime", "date", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v"),
    "symbol": ("symbol", "ticker", "s"),
}
_NEEDED: Final = ("timestamp", "open", "high", "low", "close")
_SIZE_MAX: Final = 1024 * 1024 * 1024  # of one file
_PRICE_MAX: Final = Decimal(10**9)
_VOLUME_MAX: Final = Decimal(10**12)


class Recording(NamedTuple):
    """The bars of one symbol, oldest first: times in microseconds, prices in cents, volume in shares (millionths of a
    coin for crypto). `width` is how long a bar lasts; 0 means that they are daily."""

    symbol: str
    width: int
    at: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column


def read_recordings(directory: Path) -> tuple[dict[str, Recording], str]:
    """Every symbol's bars, and a digest of all files. Raises BadDocument that names file, line and column."""
    if not directory.is_dir():
        raise BadDocument(
            str(directory), "is not a directory", "give the directory that holds the CSV or Parquet files"
        )
    files = sorted(path for path in directory.iterdir() if path.suffix.lower() in (".csv", ".parquet"))
    if not files:
        raise BadDocument(str(directory), "holds no .csv and no .parquet file", "name each for its symbol: AAPL.csv")
    digest = hashlib.sha256()
    rows: dict[str, list[tuple[int, ...]]] = {}
    found: dict[str, Recording] = {}
    origins: dict[str, Path] = {}
    for path in files:
        body = read_content(path, _SIZE_MAX).body
        digest.update(f"{path.name}|{hashlib.sha256(body).hexdigest()}\n".encode())
        tables = _plain(path, body)
        if tables is not None and not tables.keys() & origins.keys():
            origins |= dict.fromkeys(tables, path)
            found |= {symbol: _recording(symbol, table, path) for symbol, table in tables.items()}
            continue
        for symbol, row, where in _bars(path, body):
            if origins.setdefault(symbol, path) != path:
                raise BadDocument(where, f"{symbol} is in {origins[symbol].name} too", "keep each symbol in one file")
            before = rows.setdefault(symbol, [])
            if before and row[0] <= before[-1][0]:
                raise BadDocument(where, f"the bars of {symbol} are not in the order of time, or one is there twice")
            before.append(row)
    found |= {
        symbol: _recording(symbol, np.asarray(bars, dtype=np.int64), origins[symbol]) for symbol, bars in rows.items()
    }
    if not found:
        raise BadDocument(str(directory), "holds no bars")
    return found, digest.hexdigest()


def _plain(path: Path, body: bytes) -> dict[str, Table] | None:
    """The bars of a plainly written CSV file, all columns at once."""
    if path.suffix.lower() != ".csv":
        return None
    try:
        return plain_tables(text_of_bytes(body, str(path)), path.stem, lambda header: _columns(header, f"{path}:1"))
    except (BadDocument, csv.Error):
        return None  # the reader of single bars names the place


def _recording(symbol: str, table: Table, path: Path) -> Recording:
    gaps = np.diff(table[:, 0])
    width = int(gaps.min()) if len(gaps) else (0 if table[0, 0] % DAY == 0 else 60 * MICROS)
    if 0 < width < 60 * MICROS:
        raise BadDocument(str(path), f"the bars of {symbol} are less than a minute apart", "make minute bars of them")
    if width >= _LONG:
        width = 0
    return Recording(symbol, width, *(np.ascontiguousarray(table[:, column]) for column in range(6)))


def _bars(path: Path, body: bytes) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Symbol, bar and place of every row of a file."""
    rows = _csv_rows(path, body) if path.suffix.lower() == ".csv" else _parquet_rows(path, body)
    for row, where in rows:
        yield _bar(path, row, where)


def _csv_rows(path: Path, body: bytes) -> Iterator[tuple[Mapping[str, Any], str]]:
    text = text_of_bytes(body, str(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns(next(reader, []), f"{path}:1")
        for values in reader:
            if not values:
                continue
            where = f"{path}:{reader.line_num}"
            if len(values) < max(columns.values()) + 1:
                raise BadDocument(where, f"has {len(values)} values, fewer than the header")
            yield {name: values[place] for name, place in columns.items()}, where
    except csv.Error as error:
        raise BadDocument(f"{path}:{reader.line_num}", f"is not CSV: {error}", "write it again") from None


def _parquet_rows(path: Path, body: bytes) -> Iterator[tuple[Mapping[str, Any], str]]:
    try:
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore] # optional, no types
    except ImportError:
        raise BadDocument(
            str(path), "is a Parquet file, and pyarrow is not installed", "install pyarrow, or save it as CSV"
        ) from None
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(body))
    except (OSError, ValueError) as error:  # pyarrow's own errors are kinds of these
        raise BadDocument(str(path), f"cannot be read: {error}") from None
    columns = _columns(table.column_names, str(path))
    for number, row in enumerate(table.to_pylist(), start=1):
        yield {name: row[table.column_names[place]] for name, place in columns.items()}, f"{path}: row {number}"


def _columns(header: list[str], where: str) -> dict[str, int]:
    lowered = [name.strip().lower() for name in header]
    found: dict[str, int] = {}
    for name, spellings in _NAMES.items():
        for place, text in enumerate(lowered):
            if text in spellings:
                found.setdefault(name, place)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise BadDocument(
            where, f"has no column {', '.join(missing)}", f"columns: {', '.join(_NEEDED)}, volume, symbol"
        )
    return found


def _bar(path: Path, row: Mapping[str, Any], where: str) -> tuple[str, tuple[int, ...], str]:
    name = str(row["symbol"]) if "symbol" in row else path.stem
    try:
        symbol = symbol_of(name)
    except ValueError as error:
        raise BadDocument(f"{where}: symbol", str(error)) from None
    at = _moment(row["timestamp"], f"{where}: timestamp")
    prices = [_cents(row[column], f"{where}: {column}") for column in ("open", "high", "low", "close")]
    opened, high, low, closed = prices
    if not low <= min(opened, closed) <= max(opened, closed) <= high:
        raise BadDocument(f"{where}: high", "open and close do not lie between low and high")
    return symbol, (at, *prices, _volume(row.get("volume"), symbol, f"{where}: volume")), where


def _moment(value: Any, where: str) -> int:
    if isinstance(value, datetime):
        return micros_of(value if value.tzinfo else value.replace(tzinfo=UTC))
    text = str(value).strip()
    try:
        if len(text) == 10:
            return micros_of(datetime.fromisoformat(text).replace(tzinfo=UTC))
        return micros_of(utc_of(text))
    except ValueError:
        hint = "such as 2026-11-20T14:30:00Z, or 2026-11-20 for a day"
        raise BadDocument(where, f"{text[:40]!r} is not a time with an offset", hint) from None


def _cents(value: Any, where: str) -> int:
    number = _number(value, where)
    if not 0 < number < _PRICE_MAX:
        raise BadDocument(where, f"{value!r} is not a price above 0")
    return max(int((number * 100).to_integral_value(ROUND_HALF_EVEN)), 1)


def _volume(value: Any, symbol: str, where: str) -> int:
    if value is None or not str(value).strip():
        return 0
    number = _number(value, where)
    if not 0 <= number < _VOLUME_MAX:
        raise BadDocument(where, f"{value!r} is not a volume from 0 on")
    return int(number * 1_000_000 if "/" in symbol else number)


def _number(value: Any, where: str) -> Decimal:
    try:
        return decimal_of(str(value).strip())
    except ValueError:
        raise BadDocument(where, f"{value!r} is not a number") from None
