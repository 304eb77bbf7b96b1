"""Every planted bug still has its place; planting them all is the campaign's work."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import main, planted
from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_each_still_applies(mutant: Mutant) -> None:
    before = (ROOT / "rebalancer" / mutant.file).read_text()
    after = planted(before, mutant)
    assert after != before
    compile(after, mutant.file, "exec")
    words = mutant.tests.split()
    paths = words[: words.index("sim")] if "sim" in words else words
    assert any((ROOT / path.partition("::")[0]).exists() for path in paths) or "sim" in words


def test_there_are_enough_everywhere() -> None:
    rooms = Counter(m.file.split("/")[0] for m in MUTANTS)
    assert len(MUTANTS) >= 25
    assert rooms["planning"] >= 10
    assert rooms["journal"] >= 8
    assert rooms["rebalance"] >= 5
    assert rooms["brokers"] >= 5


def test_words_that_name_no_mutant_are_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["own caps", "no such mutant", "nor this"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: no mutant is named 'no such mutant', 'nor this'; there are:",
        *(f"  {mutant.name}" for mutant in MUTANTS),
    ]


@pytest.mark.campaign
def test_every_planted_bug_is_noticed() -> None:
    ended = subprocess.run([sys.executable, "-m", "tests.mutants"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


test_every_planted_bug_is_noticed = pytest.mark.timeout(7200)(test_every_planted_bug_is_noticed)
