"""Real processes die by SIGKILL at every boundary, and again while they recover; whoever comes next finds order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kill.machine import BASE, NEXT, Machine, finds_order

KILLED = -9

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine after its first run: three holdings."""
    folder = tmp_path_factory.mktemp("kill") / "settled"
    machine = Machine(folder)
    machine.signals(BASE)
    ended = machine.run()
    said = (folder / "stderr.txt").read_text()
    assert ended.code == 0, said
    machine.signals(NEXT)
    machine.close()
    return folder


@pytest.fixture
def machine(settled: Path, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine", settled)
    yield made
    made.close()


def killed_at(settled: Path, folder: Path, deadly: tuple[int, ...]) -> bool:
    """Kill one run after the other; whether the first was killed at all."""
    machine = Machine(folder, settled)
    try:
        first, *others = [machine.run(number) for number in deadly]
        assert {first.code, *(ended.code for ended in others)} <= {KILLED, 0, 4}
        finds_order(machine)
    finally:
        machine.close()
        shutil.rmtree(folder, ignore_errors=True)
    return first.code == KILLED


def test_nobody_is_killed_without_reason(machine: Machine) -> None:
    ended = machine.run()
    assert ended.code == 0
    assert ended.boundaries > 50
    finds_order(machine)


@pytest.mark.parametrize("number", [14, 22, 31, 47])
def test_killed_once(settled: Path, tmp_path: Path, number: int) -> None:
    assert killed_at(settled, tmp_path / "m", (number,))


def test_killed_again_while_it_recovers(settled: Path, tmp_path: Path) -> None:
    assert killed_at(settled, tmp_path / "m", (26, 5, 9))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_killed_at_every_boundary(settled: Path, tmp_path: Path) -> None:
    number = 1
    while killed_at(settled, tmp_path / "m", (number,)):
        number += 1
    assert number > 50


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_killed_at_every_recovery_boundary(settled: Path, tmp_path: Path) -> None:
    """Dead in the middle of a phase, then at each boundary of the recovery, then once more."""
    for first in range(15, 52, 4):
        for second in range(1, 30, 2):
            assert killed_at(settled, tmp_path / "m", (first, second, second + 3)), (first, second)
