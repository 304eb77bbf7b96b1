"""The month, lived through once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rebalancer.journal import Journal
from tests.cli.conftest import project
from tests.report.figures.month import Month, live_through, month_rules

__all__ = ["month", "project"]


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    patch = pytest.MonkeyPatch()
    patch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path_factory.mktemp("month")
    account_id = live_through(folder)
    patch.undo()
    with Journal.open(folder / "journal.sqlite") as journal:
        yield Month(folder, journal, account_id, month_rules())
