"""Recorded bars read column by column, for files that are written plainly; some twenty times as fast as bar by bar.

What is read here is what `replay_files` reads; anything unusual, above all any mistake, is left to it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rebalancer.core.values import symbol_of

Table = NDArray[np.int64]
"""Shape (bars, 6): time in microseconds; open, high, low, close in cents; volume."""
_DAYS: Final = re.compile(r"(?:[12]\d{3}-\d\d-\d\d\n)+")
_TIMES: Final = re.compile(r"(?:[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)\n)+")
_PRICES: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,12})?\n)+")
_VOLUMES: Final = re.compile(r"(?:(?:\d{1,12}(?:\.0{1,3})?)?\n)+")
_SECONDS_END: Final = 19  # of a time's text, where its offset begins
_MINUTE: Final = 60_000_000
_NEAR_HALF: Final = 1e-3  # of a cent: so close to half a cent only exact arithmetic rounds rightly


def plain_tables(text: str, name: str, columns_of: Callable[[list[str]], dict[str, int]]) -> dict[str, Table] | None:
    """The bars of a CSV text by symbol, in the order of their first rows; None when it is not written plainly.

    name: the symbol of a file without such a column. columns_of: where each column stands, from the header.
    """
    if not text.isascii() or '"' in text or "\r" in text.replace("\r\n", "\n"):
        return None
    header, *rows = csv.reader(text.split("\n"))
    rows = [row for row in rows if row]
    places = columns_of(header)
    if not rows or min(map(len, rows)) <= max(places.values()):
        return None
    cells = list(zip(*rows, strict=False))  # rows may be longer than what is needed of them
    columns = {column: cells[place] for column, place in places.items()}
    try:
        symbols = [symbol_of(one) for one in dict.fromkeys(columns.get("symbol", (name,)))]
        table = _table(columns, crypto="/" in symbols[0])
        if len({"/" in symbol for symbol in symbols}) > 1 or table is None:
            return None
    except ValueError:
        return None
    if len(symbols) == 1:
        tables = {symbols[0]: table}
    else:
        numbers = {text: number for number, text in enumerate(dict.fromkeys(columns["symbol"]))}
        owner = np.asarray([numbers[text] for text in columns["symbol"]])
        order = np.argsort(owner, kind="stable")
        ends = np.cumsum(np.bincount(owner))
        tables = dict(zip(symbols, np.split(table[order], ends[:-1]), strict=True))
        if len(tables) != len(symbols):  # one symbol in two spellings
            return None
    if any((np.diff(one[:, 0]) <= 0).any() for one in tables.values()):
        return None
    return tables


def _table(columns: Mapping[str, Sequence[str]], *, crypto: bool) -> Table | None:
    at = _moments(columns["timestamp"])
    prices = [_cents(columns[name]) for name in ("open", "high", "low", "close")]
    volume = _volumes(columns["volume"], crypto=crypto) if "volume" in columns else np.zeros(len(columns["open"]))
    if at is None or volume is None or any(price is None for price in prices):
        return None
    table = np.column_stack([at, *prices, volume]).astype(np.int64)  # type: ignore[list-item]  # none is None
    opened, high, low, closed = table[:, 1], table[:, 2], table[:, 3], table[:, 4]
    if (low > np.minimum(opened, closed)).any() or (high < np.maximum(opened, closed)).any():
        return None
    return table


def _moments(texts: Sequence[str]) -> Table | None:
    joined = "\n".join(texts) + "\n"
    if _DAYS.fullmatch(joined):
        return np.array(texts, dtype="datetime64[us]").astype(np.int64)
    if not _TIMES.fullmatch(joined):
        return None
    local = np.array([text[:_SECONDS_END] for text in texts], dtype="datetime64[us]").astype(np.int64)
    offsets = {end: _offset(end) for end in {text[_SECONDS_END:] for text in texts}}
    if len(offsets) == 1:
        return local - next(iter(offsets.values()))
    return local - np.asarray([offsets[text[_SECONDS_END:]] for text in texts], dtype=np.int64)


def _offset(text: str) -> int:
    """Microseconds ahead of UTC. Raises ValueError for more than a day, which only the slow reader names."""
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    return (1 if text[0] == "+" else -1) * (60 * hours + minutes) * _MINUTE


def _cents(texts: Sequence[str]) -> NDArray[np.float64] | None:
    if not _PRICES.fullmatch("\n".join(texts) + "\n"):
        return None
    cents = np.array(texts).astype(np.float64) * 100
    if (cents <= 0).any() or (np.abs(cents - np.floor(cents) - 0.5) < _NEAR_HALF).any():
        return None
    return np.maximum(np.rint(cents), 1.0)


def _volumes(texts: Sequence[str], *, crypto: bool) -> NDArray[np.float64] | None:
    if not _VOLUMES.fullmatch("\n".join(texts) + "\n"):
        return None
    amounts = np.array([text or "0" for text in texts]).astype(np.float64)
    if crypto and (amounts >= 1e9).any():  # in millionths no longer exact
        return None
    return amounts * 1_000_000 if crypto else amounts
