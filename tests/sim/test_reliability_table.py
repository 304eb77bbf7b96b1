"""The page on reliability names every fault once, and no test that does not exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tests.sim.sometimes import ALWAYS

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "explanation" / "reliability.md"
COUNTS = {"A": 15, "B": 16, "C": 15, "D": 21, "E": 26, "F": 12, "G": 20, "H": 9, "S": 18, "P": 10}
ROW = re.compile(r"\| ([A-Z]\d+) \| ([^|]+) \| ([^|]*)\| ?([^|]*)\|")


def rows() -> list[tuple[str, str, list[str], str]]:
    found = [match for line in PAGE.read_text().splitlines() if (match := ROW.fullmatch(line))]
    return [(m[1], m[2].strip(), re.findall(r"`([^`]+)`", m[3]), m[4].strip()) for m in found]


@cache
def source(path: Path) -> str:
    return path.read_text()


def test_every_fault_stands_there_once() -> None:
    expected = [f"{group}{number}" for group, count in COUNTS.items() for number in range(1, count + 1)]
    assert len(expected) == 162
    assert [row[0] for row in rows()] == expected


def test_every_fault_has_a_test_or_a_reason() -> None:
    assert [identity for identity, _, tests, why in rows() if not tests and not why] == []


def test_every_test_that_is_named_exists() -> None:
    lost = []
    for identity, _, tests, _ in rows():
        for name in tests:
            if name.startswith("sim:"):
                if name.removeprefix("sim:") not in ALWAYS:
                    lost.append((identity, name))
                continue
            path, _, test = name.partition("::")
            file = TESTS / f"{path}.py"
            if not file.exists() or not re.search(rf"^def {re.escape(test)}\b", source(file), re.MULTILINE):
                lost.append((identity, name))
    assert lost == []
