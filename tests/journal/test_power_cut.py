"""The power goes at any moment: what was committed is there, the chain holds, the rest is gone without a trace."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from journal_kit import run_cycle

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal

pytest.importorskip("apsw")
from tests.support.power import Operation, cut, recorded, statements_of

CYCLES = 6


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, empty_file: bytes) -> tuple[dict[str, bytes], list[Operation]]:
    """An empty journal's file, and every operation of six cycles on it, with checkpoints in between."""
    folder = tmp_path_factory.mktemp("disk")
    first, second = folder / "one" / "journal.sqlite", folder / "two" / "journal.sqlite"
    for path in (first, second):
        path.parent.mkdir(mode=0o700)
        path.write_bytes(empty_file)

    def act(journal: Journal) -> None:
        for number in range(CYCLES):
            run_cycle(journal, f"c{number}", when=300 * number)

    statements, pragmas = statements_of(first, act)
    return {"journal.sqlite": empty_file}, recorded(second, statements, pragmas, checkpoint=20)


def lost_after(before: dict[str, bytes], log: list[Operation], at: int, draws: random.Random, folder: Path) -> str:
    """What a power cut destroyed; "" when nothing was."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    promised = cut(before, log, at, draws, folder)
    try:
        with Journal.open(folder / "journal.sqlite", create=False) as journal:
            journal.verify()
            events = journal.events()
            if len(events) < promised:
                return f"{promised} rows were promised, {len(events)} are there"
            run_cycle(journal, "after", when=90_000)
            journal.verify()
    except JournalBroken as error:
        return str(error)
    return ""


def sweep(disk: tuple[dict[str, bytes], list[Operation]], cuts: int, folder: Path) -> list[str]:
    before, log = disk
    draws = random.Random(11)
    found = []
    for _ in range(cuts):
        at = draws.randint(0, len(log))
        said = lost_after(before, log, at, draws, folder)
        if said:
            found.append(f"cut after operation {at} of {len(log)}: {said}")
    return found


def test_the_disk_saw_syncs_and_checkpoints(disk: tuple[dict[str, bytes], list[Operation]]) -> None:
    _, log = disk
    assert sum(op.kind == "commit" for op in log) == CYCLES * 9
    assert sum(op.kind == "sync" and op.file.endswith("-wal") for op in log) >= CYCLES * 9
    assert sum(op.kind == "write" and op.file == "journal.sqlite" for op in log) > 20


def test_fifty_cuts(disk: tuple[dict[str, bytes], list[Operation]], tmp_path: Path) -> None:
    assert sweep(disk, 50, tmp_path / "cut") == []


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_five_thousand_cuts(disk: tuple[dict[str, bytes], list[Operation]], tmp_path: Path) -> None:
    assert sweep(disk, 5000, tmp_path / "cut") == []


def test_without_syncs_the_same_cuts_destroy_it(disk: tuple[dict[str, bytes], list[Operation]], tmp_path: Path) -> None:
    """The rig can see loss at all: the same operations on a disk whose syncs do nothing."""
    before, log = disk
    careless = [op for op in log if op.kind != "sync"]
    assert len(sweep((before, careless), 60, tmp_path / "cut")) > 5
