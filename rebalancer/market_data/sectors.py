"""Which sector a symbol belongs to: `config/sectors.csv`, owned by the user. No data is shipped with it.

Columns: symbol, sector, source, as_of, and optionally correlation_group. A symbol without a row has no sector, and
falls under the tightest sector limit.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument
from rebalancer.core.values import symbol_of
from rebalancer.ops.csv_table import CsvRow, read_table
from rebalancer.ops.files import is_absent, read_settled

_REQUIRED: Final = ("symbol", "sector", "source", "as_of")
_OPTIONAL: Final = ("correlation_group",)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 &.,/()'_-]{0,63}")
_SIZE_MAX: Final = 8 * 1024 * 1024
_log = logging.getLogger("rebalancer.world.sectors")
_reported_missing: Final[set[Path]] = set()  # once a process, not once a cycle


class SectorRow(NamedTuple):
    """One symbol's sector, its correlation group if the user sets one, and the source and date of both."""

    sector: str
    correlation_group: str | None
    source: str
    as_of: date


def read_sectors(path: Path) -> Mapping[str, SectorRow]:
    """Read the sectors by symbol. A missing file gives no sectors and logs one warning a process; an error in the
    file raises BadDocument naming file, line and column."""
    if is_absent(path):
        if path not in _reported_missing:
            _reported_missing.add(path)
            _log.warning("%s: is missing; every name counts as of unknown sector, the tightest limit", path)
        return {}
    return _parsed(path, read_settled(path, _SIZE_MAX).text)


@lru_cache(4)  # every cycle reads the file, which hardly ever changes
def _parsed(path: Path, text: str) -> Mapping[str, SectorRow]:
    found: dict[str, SectorRow] = {}
    lines: dict[str, int] = {}
    for row in read_table(text, str(path), _REQUIRED, _OPTIONAL):
        where = f"{path}:{row.line}"
        symbol = _symbol(row, where)
        if symbol in found:
            raise BadDocument(f"{where}: symbol", f"{symbol} stands in line {lines[symbol]} too", "keep one row")
        lines[symbol] = row.line
        found[symbol] = SectorRow(
            _name(row, "sector", where),
            _name(row, "correlation_group", where) if "correlation_group" in row.cells else None,
            _name(row, "source", where),
            _day(row, where),
        )
    return MappingProxyType(found)


def _symbol(row: CsvRow, where: str) -> str:
    try:
        return symbol_of(_cell(row, "symbol", where))
    except ValueError as error:
        if isinstance(error, BadDocument):
            raise
        raise BadDocument(f"{where}: symbol", str(error), "write it as AAPL, BRK.B or BTC/USD") from None


def _cell(row: CsvRow, column: str, where: str) -> str:
    if column not in row.cells:
        raise BadDocument(f"{where}: {column}", "is empty", "fill it in, or leave the row out")
    return row.cells[column]


def _name(row: CsvRow, column: str, where: str) -> str:
    text = _cell(row, column, where)
    if _NAME.fullmatch(text) is None:
        raise BadDocument(
            f"{where}: {column}", f"{text[:40]!r} is not a name", "use up to 64 letters, digits and spaces"
        )
    if column != "source" and text.casefold() == "unknown":
        raise BadDocument(
            f"{where}: {column}", "'unknown' is reserved for missing data", "leave the row or the cell out"
        )
    return text


def _day(row: CsvRow, where: str) -> date:
    text = _cell(row, "as_of", where)
    try:
        if len(text) != len("2026-11-20"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadDocument(f"{where}: as_of", f"{text[:40]!r} is not a date", "write it as 2026-11-20") from None
