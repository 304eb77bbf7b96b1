from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_kit import run_cycle

from rebalancer.journal import Journal


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated journal without rows: migrating anew for every test would be most of their time."""
    path = tmp_path_factory.mktemp("empty") / "journal.sqlite"
    Journal.open(path).close()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, empty_file: bytes) -> Path:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(empty_file)
    return path


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as journal:
        yield journal


@pytest.fixture
def three_cycles(path: Path) -> Path:
    """A closed file with three whole cycles."""
    with Journal.open(path) as journal:
        for number in range(3):
            run_cycle(journal, f"c{number}", when=300 * number)
    return path
