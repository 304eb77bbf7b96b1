"""CSV as spreadsheets save it: semicolons or tabs, a line `sep=;`, empty rows, and empty columns at the end.

Lines above the header that begin with # are comments; `# complete: true`, `# weights_of: capital`, `# close_all: true`
and `# rows: 12` are statements about the file.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Sequence
from typing import Final

from rebalancer.core.documents import BadDocument
from rebalancer.signals.formats.grid import Grid, GridRow
from rebalancer.signals.formats.signal_file import SeveralReadings

SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
NOTES: Final = ("complete", "weights_of", "close_all", "rows")
_NOTE: Final = re.compile(r"#\s*([A-Za-z_]+)\s*[:=]\s*(.*)")
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)", re.IGNORECASE)
_CUT: Final = re.compile(r"[.,+-]|[0-9]*[.,]|\"[^\"]*")
_CLOSE_MATCH: Final = 0.75

_Record = tuple[int, list[str]]


def csv_grid(text: str, place: str) -> Grid:
    """Read a CSV file. Raises BadDocument for a file that is empty, malformed or visibly cut short. A missing last line
    end is accepted, unless the last number ends in its decimal mark. An empty file is refused by the caller."""
    first, separator = _header(text, place)
    records = _records(text, separator, place)
    notes = _notes([record for record in records if record[0] < first], place)
    body = [(line, cells) for line, cells in records if line >= first and any(cell.strip() for cell in cells)]
    (header_line, header), *rows = body
    while header and not header[-1].strip() and all(not "".join(row[len(header) - 1 :]).strip() for _, row in rows):
        header = header[:-1]  # empty columns at the end
    if not text.endswith(("\n", "\r")) and rows and _CUT.fullmatch(rows[-1][1][-1].strip()):
        raise BadDocument(f"{place}:{rows[-1][0]}", "the last number has no end", "was the file written completely?")
    grid = Grid(
        tuple(cell.strip() for cell in header),
        tuple(_row(line, cells, len(header), separator, place) for line, cells in rows),
        place,
        header_line,
        notes,
        text.endswith(("\n", "\r")),
    )
    _check_count(grid, notes)
    return grid


def _header(text: str, place: str) -> tuple[int, str]:
    """The line of the header, and the separator of the columns."""
    given = ""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        bare = line.strip().strip(",;\t").strip()
        found = _SEPARATOR_LINE.fullmatch(line.strip(" "))
        if found is not None:
            given = found[1]
        elif bare and not bare.lstrip('"').startswith("#"):
            return number, given or _separator(line, f"{place}:{number}")
    raise BadDocument(place, "has no header", "begin with a line such as symbol,weight")


def _separator(header: str, place: str) -> str:
    outside = re.sub(r'"[^"]*"', "", header)
    found = [mark for mark in SEPARATORS if mark in outside]
    if not found:
        return ","  # one column
    if len(found) > 1:
        names = [f"columns separated by {SEPARATORS[mark]}" for mark in found]
        both = SeveralReadings("the header", names[0], names[1])
        raise BadDocument(place, str(both), "keep one separator, and put names that hold the other in quotes")
    return found[0]


def _records(text: str, separator: str, place: str) -> list[_Record]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found, line = [], 1
    try:
        for cells in reader:
            found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadDocument(f"{place}:{line}", f"is not CSV: {error}", "was the file written completely?") from None
    return found


def _notes(records: Sequence[_Record], place: str) -> dict[str, str]:
    notes: dict[str, str] = {}
    for line, cells in records:
        said = _NOTE.fullmatch(cells[0].strip().rstrip(",;\t ")) if cells else None
        if said is None:
            continue
        name = said[1].lower()
        if name not in NOTES:
            meant = difflib.get_close_matches(name, NOTES, 1, _CLOSE_MATCH)
            if meant:
                raise BadDocument(f"{place}:{line}: {said[1]}", "unknown statement", f"did you mean {meant[0]!r}?")
            continue
        if name in notes:
            raise BadDocument(f"{place}:{line}: {name}", "stands twice", "keep one of them")
        notes[name] = said[2].strip().lower()
    return notes


def _row(line: int, cells: Sequence[str], width: int, separator: str, place: str) -> GridRow:
    cells = [cell.strip() for cell in cells]
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) != width:
        comma = separator == "," and len(cells) > width
        raise BadDocument(
            f"{place}:{line}",
            f"has {len(cells)} columns and the header has {width}",
            "a number with a decimal comma needs quotes, or semicolons between the columns"
            if comma
            else "was the file written completely?",
        )
    return GridRow(line, tuple(cell or None for cell in cells))


def _check_count(grid: Grid, notes: dict[str, str]) -> None:
    announced = notes.get("rows")
    if announced is None:
        return
    if not announced.isdecimal() or int(announced[:9]) != len(grid.rows):
        problem = f"announces {announced[:20]} rows and has {len(grid.rows)}"
        raise BadDocument(f"{grid.place}:1", problem, "was the file written completely?")
