"""Daily closes from the reference data file beside the journal: those of the benchmark and of requested symbols."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rebalancer.core.input_file import read_json_file
from rebalancer.market_data.reference import REFERENCE_SCHEMA

REFERENCE_FILE = "day-sheet.json"


class Closes(NamedTuple):
    """Closing prices, oldest first; days without a bar are left out."""

    symbol: str
    days: tuple[date, ...]
    closes: tuple[float, ...]


def closes_of(folder: Path, symbol: str) -> Closes | None:
    """The closes of one symbol; None when the file is missing, unreadable or does not have the symbol."""
    return stored_closes(folder, [symbol]).get(symbol)


def stored_closes(folder: Path, symbols: Iterable[str]) -> Mapping[str, Closes]:
    """The closes of these symbols, as far as the file has them; it is read only once."""
    try:
        snapshot = read_json_file(folder / REFERENCE_FILE)
        if snapshot["schema"] != REFERENCE_SCHEMA:
            return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # only a cache, not a record
    found = ((symbol, _row(snapshot, symbol)) for symbol in symbols)
    return {symbol: closes for symbol, closes in found if closes is not None}


def _row(snapshot: Mapping[str, Any], symbol: str) -> Closes | None:
    try:
        parts = [snapshot.get(name) or {"closes": {}} for name in ("judged", "benchmark")]
        part = next((one for one in parts if symbol in one["closes"]), snapshot)
        rows = zip(part["days"], part["closes"][symbol], strict=True)
        known = [(date.fromisoformat(day), float(c)) for day, c in rows if c is not None and 0 < c < math.inf]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Closes(symbol, tuple(day for day, _ in known), tuple(close for _, close in known)) if known else None
