"""`python -m tests.support.shifted 2027-03-14[T06:30]`: the seconds from now to that day, at the time of day it is now
unless one is given (UTC)."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime


def seconds_to(text: str, now: datetime) -> int:
    """Seconds to shift a clock by. Raises ValueError for what is no date."""
    if "T" in text:
        return round((datetime.fromisoformat(text).replace(tzinfo=UTC) - now).total_seconds())
    return (date.fromisoformat(text) - now.date()).days * 86_400


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{seconds_to(sys.argv[1], datetime.now(UTC))}\n")
    except (IndexError, ValueError):
        sys.exit("error: --date wants a day, such as 2027-03-14, or a moment in UTC, such as 2027-03-14T06:30")
