"""A benchmark's daily closes from the day sheet beside the journal, when it has been asked for that symbol."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import NamedTuple

from rebalancer.world.reference import SHEET_SCHEMA

SHEET_NAME = "day-sheet.json"


class Closes(NamedTuple):
    """Closing prices, oldest first; days without a bar are left out."""

    symbol: str
    days: tuple[date, ...]
    closes: tuple[float, ...]


def closes_of(folder: Path, symbol: str) -> Closes | None:
    """The closes of one symbol; None when there is no sheet, none that can be read, or none of this symbol."""
    try:
        sheet = json.loads((folder / SHEET_NAME).read_text(encoding="utf-8"))
        if sheet["schema"] != SHEET_SCHEMA:
            return None
        beside = sheet.get("benchmark") or {"closes": {}}
        part = beside if symbol in beside["closes"] else sheet
        rows = zip(part["days"], part["closes"][symbol], strict=True)
        known = [(date.fromisoformat(day), float(close)) for day, close in rows if close is not None and close > 0]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # it is a copy that saves questions, and no record
    return Closes(symbol, tuple(day for day, _ in known), tuple(close for _, close in known)) if known else None
