"""Read CSV strictly: known columns only, complete rows only, and a line number for every row."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from rebalancer.core.documents import BadDocument

_ROWS: Final = re.compile(r"#\s*rows:\s*([0-9]{1,9})\s*")


class CsvRow(NamedTuple):
    """One row: the number of its first line, and its cells, stripped; empty cells are omitted."""

    line: int
    cells: Mapping[str, str]


def read_table(text: str, source: str, required: Collection[str], optional: Collection[str]) -> list[CsvRow]:
    """Read the rows below the header. Raises BadDocument naming file and line.

    Column names are lower case in the result; columns that begin with x- are notes. Lines above the header that begin
    with # are comments; a first line `# rows: 40` is checked against the number of rows. A file without a final
    newline, without rows, or with a row whose width differs from the header's is taken to be incomplete and refused.
    """
    if not text.strip():
        raise BadDocument(source, "is empty", "was the file written completely? Remove it if it is meant to be empty")
    if not text.endswith(("\n", "\r")):
        line = text.count("\n") + 1
        raise BadDocument(f"{source}:{line}", "the last line has no line end", "was the file written completely?")
    records = _records(text, source)
    announced = _announced(records)
    records = [(line, cells) for line, cells in records if any(c.strip() for c in cells)]
    while records and records[0][1][0].startswith("#"):
        records = records[1:]
    if not records:
        raise BadDocument(source, "has no header", f"begin with a line such as {','.join(required)}")
    (header_line, header), *body = records
    names = _columns(header, f"{source}:{header_line}", required, optional)
    rows = [_row(line, cells, names, source) for line, cells in body]
    if announced is not None and announced != len(rows):
        raise BadDocument(
            f"{source}:1", f"announces {announced} rows and has {len(rows)}", "was it written completely?"
        )
    if not rows and announced is None:
        raise BadDocument(
            f"{source}:{header_line}",
            "has a header and no rows",
            "was the file written completely? Begin it with '# rows: 0' if that is meant",
        )
    return rows


def check_names(names: Sequence[str], where: str, known: Collection[str]) -> None:
    """Refuse names that are neither known nor notes (x-...). Raises BadDocument, suggesting the closest known name."""
    for name in names:
        if name in known or name.startswith("x-"):
            continue
        meant = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean {meant[0]!r}?" if meant else f"known: {', '.join(known)}; notes begin with 'x-'"
        raise BadDocument(f"{where}: {name[:40]!r}", "unknown column", hint)


def _records(text: str, source: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found, line = [], 1
    try:
        for cells in reader:
            found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadDocument(f"{source}:{line}", f"is not CSV: {error}", "was the file written completely?") from None
    return found


def _announced(records: Sequence[tuple[int, list[str]]]) -> int | None:
    match = _ROWS.fullmatch(",".join(records[0][1]).strip()) if records else None
    return int(match[1]) if match else None


def _columns(header: Sequence[str], where: str, required: Collection[str], optional: Collection[str]) -> list[str]:
    names = [cell.strip().lower() for cell in header]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise BadDocument(where, "the columns are not separated by commas", f"write {','.join(required)}")
    check_names(names, where, (*required, *optional))
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BadDocument(f"{where}: {twice[0]}", "the column appears twice", "keep one of them")
    missing = [name for name in required if name not in names]
    if missing:
        raise BadDocument(f"{where}: {missing[0]}", "the column is missing", f"required: {', '.join(required)}")
    return names


def _row(line: int, cells: Sequence[str], names: Sequence[str], source: str) -> CsvRow:
    if len(cells) != len(names):
        raise BadDocument(
            f"{source}:{line}",
            f"has {len(cells)} columns and the header has {len(names)}",
            "was the file written completely? A value with a comma in it needs quotes",
        )
    stripped = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    return CsvRow(line, {name: cell for name, cell in stripped.items() if cell and not name.startswith("x-")})
