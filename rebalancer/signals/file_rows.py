"""The rows of one signal file, in any of its three formats, with the line of each for messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.ops.csv_table import check_names, read_table
from rebalancer.signals.signal_row import COLUMNS


class FileRows(NamedTuple):
    """The rows of one file; `line(i)` is the line on which row i begins."""

    rows: Sequence[Mapping[str, object]]
    line: Callable[[int], int]


def read_rows(text: str, source: str, ending: str) -> FileRows:
    """Read the rows. Raises BadDocument for a file that is empty, malformed or incompletely written."""
    if not text.strip():
        raise BadDocument(source, "is empty", "was the file written completely? Remove it if it is meant to be empty")
    return {".csv": _csv, ".json": _json, ".jsonl": _jsonl}[ending](text, source)


def _csv(text: str, source: str) -> FileRows:
    required, optional = ("symbol", "confidence"), tuple(c for c in COLUMNS if c not in ("symbol", "confidence"))
    found = read_table(text, source, required, optional)
    return FileRows([row.cells for row in found], lambda i: found[i].line)


def _json(text: str, source: str) -> FileRows:
    document = _parsed(text, source)
    if isinstance(document, dict):
        check_names(list(document), f"{source}:1", ("signals",))
        document = document.get("signals")
    if not isinstance(document, list):
        raise BadDocument(f"{source}:1", "is not a list of signals", 'write [...] or {"signals": [...]}')

    def line(index: int) -> int:
        return _line_in_array(text, index)

    return FileRows([_row(item, source, i, line) for i, item in enumerate(document)], line)


def _jsonl(text: str, source: str) -> FileRows:
    items = json_lines(text, source)

    def line_of(index: int) -> int:
        return items[index][0]

    return FileRows([_row(item, source, i, line_of) for i, (_, item) in enumerate(items)], line_of)


def json_lines(text: str, source: str) -> list[tuple[int, Any]]:
    """The values of a JSON Lines file with their lines, without the first line if it only announces their number.
    Raises BadDocument for a line that is not JSON, and for another number than was announced."""
    # not splitlines: JSON strings may contain other line separators
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    items = [(n, _parsed(line, f"{source}:{n}")) for n, line in lines]
    announced = items[0][1].get("rows") if isinstance(items[0][1], dict) and set(items[0][1]) == {"rows"} else None
    if announced is not None:
        items = items[1:]
        if announced != len(items):
            problem = f"announces {str(announced)[:20]} rows and has {len(items)}"
            raise BadDocument(f"{source}:1", problem, "was the file written completely?")
    return items


def _row(item: object, source: str, index: int, line: Callable[[int], int]) -> Mapping[str, object]:
    if not isinstance(item, dict):
        raise BadDocument(f"{source}:{line(index)}", "is not a signal", 'write {"symbol": ..., "score": ..., ...}')
    if not item.keys() <= _KNOWN:
        check_names(list(item), f"{source}:{line(index)}", COLUMNS)
    return item


_KNOWN: Final = frozenset(COLUMNS)


def _parsed(text: str, source: str) -> Any:
    try:
        return read_json(text, source)
    except BadDocument:
        raise
    except ValueError as error:  # an integer with more digits than Python parses
        raise BadDocument(source, f"is not JSON: {str(error)[:80]}", "write numbers of ordinary length") from None


def _line_in_array(text: str, index: int) -> int:
    """The line of an item in a JSON array that is known to be valid. Only used for messages."""
    start = re.match(r"\s*\[", text) or re.search(r'"signals"\s*:\s*\[', text)
    assert start is not None  # the document was an array, or an object with one
    decoder, position, space = json.JSONDecoder(), start.end(), re.compile(r"[\s,]*")
    for _ in range(index):
        _, position = decoder.raw_decode(text, _after(space, text, position))
    return text.count("\n", 0, _after(space, text, position)) + 1


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
