"""What drained sessions of older programs left, one for each edition of the planner, is carried on to the end of the
day. The whole matrix, with the way back, needs the history of the repository: `python -m tests.upgrade`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.core.codec import read_plan
from rebalancer.core.decisions import PLANNER_EDITION
from rebalancer.journal import Journal
from tests.upgrade.programs import SLOTS, Desk, unpack
from tests.upgrade.ways import forward

READS = (("db", "check"), ("explain", "KO", "--cycle", SLOTS[0]), ("report", "--day", SLOTS[0][:10]))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drained")
    unpack(folder)
    return folder


@pytest.mark.parametrize("edition", [1, 2, 3])
def test_a_day_that_an_older_program_began_is_carried_on(shelf: Path, edition: int) -> None:
    desk = Desk(shelf / f"edition_{edition}")
    begun = desk.ends()
    assert [(slot, version) for slot, _, version in begun] == [(slot, "0.1.0") for slot in SLOTS[:5]]
    orders = desk.orders_at_the_broker()
    assert forward(desk, reads=READS) == []
    assert desk.orders_at_the_broker() > orders
    with Journal.open(desk.journal) as journal:
        editions = [read_plan(journal.plan_text(slot) or "").planner_edition for slot in SLOTS]
    assert editions == [edition] * 5 + [PLANNER_EDITION] * 2
