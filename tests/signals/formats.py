"""Read one file of any format, as `signals test` does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.signals.formats.mapping import Mappings
from rebalancer.signals.formats.read_file import Context, read_file
from rebalancer.signals.formats.signal_file import SignalFile
from tests.signals.files import NOW, write

SAVED = Path(__file__).parent / "saved"
Told = tuple[str, dict[str, str]]


def opened(path: Path, mappings: Mappings | None = None) -> SignalFile:
    """What a file says."""
    return read_file(path, Context(NOW + timedelta(days=1), mappings=mappings or {})).found


def read(folder: Path, text: str | bytes, name: str = "desk.csv", mappings: Mappings | None = None) -> SignalFile:
    """What a file with this content says."""
    return opened(write(folder / name, text), mappings)


def told(found: SignalFile) -> Told:
    """The format, and the value of every row; only for files without a problem."""
    assert found.is_usable, [row.problem for row in found.rows] + list(found.problems)
    return found.format, {row.symbol: f"{row.value:f}" for row in found.rows if row.value is not None}


def refusal(folder: Path, text: str | bytes, name: str = "desk.csv") -> str:
    """Every reason that refuses a file, with the folder left out."""
    try:
        found = read(folder, text, name)
    except BadDocument as error:
        return str(error).partition("\n")[0].replace(f"{folder}/", "")
    if found.is_usable:
        pytest.fail(f"not refused: {found}")
    rows = [f"{row.line}: {row.problem}" for row in found.rows if row.problem is not None]
    return "; ".join([*rows, *found.problems]).replace(f"{folder}/", "")
