"""Dates in a local form, such as 03/04/2026: refused, with both days that they can be."""

from __future__ import annotations

import re
from typing import Final

_LOCAL_DAY: Final = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{2}|[0-9]{4})(?:[ T].*)?")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def local_date_problem(text: str) -> str | None:
    """Why a date in a local form cannot be read, with both readings where there are two; None for any other text."""
    found = _LOCAL_DAY.fullmatch(text.strip())
    if found is None:
        return None
    one, two = int(found[1]), int(found[2])
    year = f"20{found[3]}" if len(found[3]) == 2 else found[3]
    days = [f"{d} {_MONTHS[m - 1]} {year}" for d, m in ((one, two), (two, one)) if 1 <= m <= 12 and 1 <= d <= 31]
    if len(set(days)) == 2:
        return f"{text.strip()[:40]} can be read two ways: {days[0]}, or {days[1]}"
    return f"{text[:40]!r} is a date in a local form" if days else f"{text[:40]!r} is not a date"
