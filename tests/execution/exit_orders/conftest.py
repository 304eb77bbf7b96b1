"""The account of the keeper's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.execution.exit_orders.account_rig import Desk, Lying
from tests.support.rig import Rig, by_hand


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Rig(tmp_path) as rig:
        process = rig.process()
        by_hand(rig, "KO", "10")
        yield Desk(rig, Lying(process.broker.real), process.journal, process.clock, tmp_path)
