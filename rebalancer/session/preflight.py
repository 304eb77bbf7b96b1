"""What is checked before the day begins. Nothing here stops the day by itself: conditions that must stop it raise on
their own (a broken journal, a refused key, another account), and every cycle checks account and kill switch again."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from rebalancer.core.facts import Account

SKEW_SECONDS: Final = 5.0
FREE_BYTES_MIN: Final = 200 * 1024 * 1024


def preflight(account: Account, stopped: str | None, state: Path, reports: Path) -> tuple[str, ...]:
    """Everything that a person should know before the open, in sentences; nothing when all is well."""
    found = []
    if stopped is not None:
        found.append(f"the kill switch is set: {stopped}; lift it with: rebalancer resume --reason ...")
    if account.restrictions:
        found.append(f"the account is restricted: {', '.join(account.restrictions)}")
    for folder in (state, reports):
        found += _folder_problems(folder)
    return tuple(found)


def clock_problem(wall: datetime, broker: datetime) -> str | None:
    """How far this machine's clock is from the broker's, when that is worth reporting."""
    skew = (wall - broker).total_seconds()
    if abs(skew) <= SKEW_SECONDS:
        return None
    return f"this machine's clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} the broker's; is NTP on?"


def _folder_problems(folder: Path) -> list[str]:
    there = next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
    if not os.access(there, os.W_OK):
        return [f"{folder}: cannot be written"]
    space = os.statvfs(there)
    free = space.f_bavail * space.f_frsize
    return [f"{folder}: only {free / 1e6:,.0f} MB are free"] if free < FREE_BYTES_MIN else []
