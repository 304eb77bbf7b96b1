"""An empty journal to copy, and where histories keep their files."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from rebalancer.journal import Journal

MEMORY = Path("/dev/shm")


@cache
def template() -> Path:
    """An empty journal with its schema, made once a process: migrations take most of a second."""
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))
    Journal.open(folder / "template.sqlite").close()
    return folder / "template.sqlite"


def forget_template() -> None:
    """Remove what `template` made."""
    if template.cache_info().currsize:
        shutil.rmtree(template().parent, ignore_errors=True)
        template.cache_clear()
