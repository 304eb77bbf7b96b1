"""Write signal files and read them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.signals import read_signals

NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


def write(path: Path, text: str | bytes) -> Path:
    """Write a file that was last changed at WRITTEN."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    return path


def read(folder: Path, text: str | bytes, name: str = "desk.csv") -> tuple[Signal, ...]:
    """Read one file with this text."""
    return read_signals(write(folder / name, text), NOW)


def refusal(folder: Path, text: str | bytes, name: str = "desk.csv") -> str:
    """The message that refuses this text, with the folder left out."""
    with pytest.raises(BadDocument) as caught:
        read(folder, text, name)
    return str(caught.value).replace(f"{folder}/", "")
