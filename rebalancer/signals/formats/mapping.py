"""Any other JSON, by a mapping of the user's: JSONPath -> field, in `signals.mappings` of the configuration.

    signals:
      mappings:
        freqtrade:                       # reads files called freqtrade.json, freqtrade-2.json, freqtrade.jsonl
          rows: $.data[*]                # the rows; the whole document is one row where it is left out
          symbol: $.pair                 # within a row
          action: $.type                 # or score, or target
          action.entry: buy              # what a word of theirs means
          confidence: $.strength

A field is what `signals/README.md` calls it, or `target` for a weight. A text without $ stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.signals.formats.cells import cell_symbol
from rebalancer.signals.formats.grid import Grid
from rebalancer.signals.formats.json_path import Step, parse_path, values_at
from rebalancer.signals.formats.score_rows import score_rows
from rebalancer.signals.formats.signal_file import SignalFile
from rebalancer.signals.formats.targets import Given, checked
from rebalancer.signals.signal_row import COLUMNS, BadCell

FIELDS: Final = (*COLUMNS, "target")
_SCORES: Final = ("score", "action", "confidence")

Mappings = Mapping[str, Mapping[str, str]]


def mapping_for(stem: str, mappings: Mappings) -> str | None:
    """The name of the mapping that reads a file with this name (without its ending); None when none does. Of several
    the longest name."""
    fits = [name for name in mappings if stem == name or stem.startswith((f"{name}-", f"{name}.", f"{name}_"))]
    return max(fits, key=len, default=None)


def read_mapped(
    documents: Sequence[object],
    name: str,
    mapping: Mapping[str, str],
    place: str,
    source: str,
    written_at: datetime,
    ahead: timedelta,
) -> SignalFile:
    """Read JSON documents by a mapping. Raises BadDocument for a mapping that cannot be used, and for documents in
    which it finds no row."""
    where = f"signals.mappings.{name}"
    rows_at = _path(mapping.get("rows", "$"), f"{where}.rows")
    fields = {field: text for field, text in mapping.items() if field != "rows" and "." not in field}
    _check(fields, mapping, where)
    paths: dict[str, tuple[Step, ...] | str] = {
        field: _path(text, f"{where}.{field}") if text.strip().startswith("$") else text
        for field, text in fields.items()
    }
    words = {key: text for key, text in mapping.items() if "." in key}
    rows = [row for document in documents for row in values_at(document, rows_at)]
    if not rows:
        raise BadDocument(place, f"{where}.rows finds no row", "is the path right? Try it: signals test FILE")
    cells = [_cells(row, paths, words, f"{place}: row {i}") for i, row in enumerate(rows, 1)]
    label = f"mapping:{name}"
    if "target" in fields:
        given = [
            Given(i, _plain(c.get("symbol")), _plain(c.get("target")), str(c.get("source") or source))
            for i, c in enumerate(cells, 1)
        ]
        return checked(given, label, Grid((), (), place), ".")
    return score_rows([(i, _canonical(c)) for i, c in enumerate(cells, 1)], place, source, written_at, ahead, label)


def _check(fields: Mapping[str, str], mapping: Mapping[str, str], where: str) -> None:
    unknown = [field for field in fields if field not in FIELDS]
    unknown += [key for key in mapping if "." in key and key.partition(".")[0] not in fields]
    if unknown:
        raise BadDocument(f"{where}.{unknown[0]}", "unknown field", f"known: rows, {', '.join(FIELDS)}")
    if "symbol" not in fields:
        raise BadDocument(where, "names no symbol", "add symbol: $.path")
    if "target" in fields and any(field in fields for field in _SCORES):
        raise BadDocument(where, "names a target and a score", "a row has one of both")


def _path(text: str, where: str) -> tuple[Step, ...]:
    try:
        return parse_path(text)
    except ValueError as error:
        raise BadDocument(where, f"is no path: {error}", "such as $.alerts[*]") from None


def _cells(
    row: object, paths: Mapping[str, tuple[Step, ...] | str], words: Mapping[str, str], place: str
) -> dict[str, object]:
    """The fields of one row. Raises BadDocument when a path leads to several values."""
    found: dict[str, object] = {}
    for field, path in paths.items():
        if isinstance(path, str):
            found[field] = path
            continue
        values = [value for value in values_at(row, path) if value is not None]
        if len(values) > 1:
            raise BadDocument(f"{place}: {field}", f"has {len(values)} values", "let the path lead to one value")
        if values:
            found[field] = words.get(f"{field}.{values[0]}", values[0])
    return found


def _plain(value: object) -> str | int | float | None:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _canonical(cells: dict[str, object]) -> dict[str, object]:
    """The same cells with the symbol in its canonical form where it has one; else it is refused as it stands."""
    try:
        return cells | {"symbol": cell_symbol(_plain(cells.get("symbol")))}
    except BadCell:
        return cells
