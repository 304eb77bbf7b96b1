"""The keys by which a configuration is known: everything that planning reads, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import rebalancer
from rebalancer.core.planning_keys import SECTIONS, planning_hash, planning_keys
from rebalancer.core.rules import Rules

PLANNERS = ("planning", "research", "regimes", "market_data")
IN_PART = {"regime", "session", "reporting"}  # keys of them are in `planning_keys` by name


def hash_of(**sections: Any) -> str:
    return planning_hash(Rules.model_validate(sections))


@pytest.mark.parametrize(
    "sections",
    [
        {"regime": {"enabled": True}},
        {"regime": {"enabled": True, "targets": True}},
        {"regime": {"enabled": True, "breadth_names": 77}},
        {"regime": {"enabled": True, "benchmark": "QQQ"}},
        {"regime": {"enabled": True}, "reporting": {"benchmark": "IWM"}},
        {"session": {"crypto_around_the_clock": True}},
        {"protection": {"stop_loss": 0.07}},
    ],
    ids=str,
)
def test_what_planning_reads_makes_another_configuration(sections: dict[str, Any]) -> None:
    others = [{}, {"regime": {"enabled": True}}]
    assert hash_of(**sections) not in [hash_of(**other) for other in others if other != sections]


@pytest.mark.parametrize(
    "sections",
    [
        {"reporting": {"benchmark": "IWM"}},
        {"regime": {"targets": True}},  # off
        {"export": {"tradervue": True}},
        {"signals": {"path": "other.csv"}},
    ],
    ids=str,
)
def test_what_planning_does_not_read_is_the_same_configuration(sections: dict[str, Any]) -> None:
    assert hash_of(**sections) == hash_of()


def test_the_named_benchmark_is_the_one_judged_by() -> None:
    named = hash_of(regime={"enabled": True, "benchmark": "QQQ"})
    assert named == hash_of(regime={"enabled": True}, reporting={"benchmark": "QQQ"})


def test_the_default_has_the_sections_that_are_always_read() -> None:
    assert tuple(planning_keys(Rules())) == SECTIONS


def test_planning_reads_no_section_that_the_hash_does_not_know() -> None:
    root, known = Path(rebalancer.__file__).parent, {*SECTIONS, *IN_PART}
    read = {
        (str(path.relative_to(root)), section)
        for room in PLANNERS
        for path in (root / room).rglob("*.py")
        for section in re.findall(r"rules\.([a-z_]+)\.", path.read_text())
        if section in Rules.model_fields
    }
    assert read
    assert {(path, section) for path, section in read if section not in known} == set()
