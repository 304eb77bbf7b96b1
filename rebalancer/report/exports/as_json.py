"""JSON: one object per row, decimals and times as strings."""

from __future__ import annotations

import json
from typing import Final

from rebalancer.core.documents import plain
from rebalancer.report.exports.tables import ExportTable

EXPORT_SCHEMA: Final = "rebalancer.export/1"


def json_text(table: ExportTable) -> str:
    """The whole document, ending with a line break. The same table gives the same text."""
    rows = [dict(zip(table.columns, plain(row), strict=True)) for row in table.rows]
    document = {"schema": EXPORT_SCHEMA, "export": table.name, "columns": list(table.columns), "rows": rows}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
