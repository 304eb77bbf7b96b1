"""Tables as text: CSV, and JSON with one object per row, decimals and times as strings.

CSV is that of RFC 4180: UTF-8, a header, lines that end with CR LF, quotes where they are needed. A spreadsheet
executes a cell that begins like a formula. Such text gets an apostrophe before it, so that it stays text; numbers are
written as they are, including negative ones.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Final

from rebalancer.accounting.order_counts import OrderCounts
from rebalancer.core.documents import plain
from rebalancer.report.exports.tables import ExportTable, Value

EXPORT_SCHEMA: Final = "rebalancer.export/1"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER: Final = re.compile(r"-[0-9]+(\.[0-9]+)?", re.ASCII)


def csv_text(table: ExportTable) -> str:
    """The whole file. The same table gives the same text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([cell(value) for value in row] for row in table.rows)
    return out.getvalue()


def cell(value: Value) -> str:
    """One value: "" for None, RFC 3339 for times, decimals with all their digits."""
    if value is None:
        return ""
    said = plain(value)
    if not isinstance(said, str):
        return repr(said)
    if said.startswith(FORMULA) and not _NUMBER.fullmatch(said):
        return "'" + said
    return said


def json_text(table: ExportTable, counts: OrderCounts | None = None) -> str:
    """The whole document, ending with a line break. The same table gives the same text. counts: of the orders and fills
    of the same stretch of time."""
    rows = [dict(zip(table.columns, plain(row), strict=True)) for row in table.rows]
    counted = {} if counts is None else {"counts": plain(counts)}
    head = {"schema": EXPORT_SCHEMA, "export": table.name, **counted}
    document = {**head, "columns": list(table.columns), "rows": rows}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
