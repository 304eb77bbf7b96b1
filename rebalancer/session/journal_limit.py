"""The bytes that the journal may take, and whether it will be more soon."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from rebalancer.session.setup import Setup

MEGABYTE: Final = 1_000_000


def limit_of(setup: Setup, size: int) -> tuple[int | None, str]:
    """The limit in bytes and where it comes from: the configuration, or the disk that a file of `size` bytes lies on.
    None for a database without a configured limit: its disk is not seen from here."""
    configured = setup.rules.journal.size_limit_mb
    if configured is not None:
        return configured * MEGABYTE, "journal.size_limit_mb"
    if isinstance(setup.journal, Path):
        return size + shutil.disk_usage(setup.journal.parent).free, "its disk"
    return None, ""
