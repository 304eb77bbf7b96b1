"""The check of how large the journal is, and becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rebalancer.journal.size import JournalSize
from rebalancer.session.doctor.findings import CheckResult, ok, warn
from rebalancer.session.journal_limit import MEGABYTE, limit_of
from rebalancer.session.setup import Setup

SOON_DAYS: Final = 90
WHAT: Final = "journal size"


def check_growth(setup: Setup, found: JournalSize) -> Iterator[CheckResult]:
    """Whether the journal reaches its limit within a quarter at its present rate."""
    limit, source = limit_of(setup, found.bytes)
    if limit is None:
        return
    days, size = found.days_until(limit), f"{found.bytes / MEGABYTE:,.1f} MB"
    if days is not None and days < SOON_DAYS:
        when = "is reached" if days == 0 else f"is reached in {days:.0f} days"
        said = f"{size}; the limit of {limit / MEGABYTE:,.0f} MB ({source}) {when}"
        yield warn(WHAT, said, "rebalancer db size; rebalancer db archive --before DATE --remove makes room")
    elif source != "its disk":
        yield ok(WHAT, f"{size} of {limit / MEGABYTE:,.0f} MB")
