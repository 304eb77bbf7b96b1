"""`replay` as a program and as a pipe read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rebalancer.core.decisions import PLANNER_EDITION
from rebalancer.core.reasons import stated
from rebalancer.report import archive
from tests.cli.conftest import Command

OTHER = "position_sizing: {base_position_size: 0.02}\n"


@pytest.fixture
def cycle(command: Command) -> str:
    """The one planned cycle of the journal."""
    assert command("run-now", "--dry-run").code == 0
    return str(json.loads(command("history", "--json").out)["cycles"][0]["cycle_id"])


def test_as_json(command: Command, cycle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    same = {
        "schema": "rebalancer.replay/1", "cycles": 1, "archived": 0, "differences": [],
        "planner_edition": PLANNER_EDITION, "older_editions": [],
    }  # fmt: skip
    for words in (("--all",), (cycle,)):
        said = command("replay", *words, "--json")
        assert (said.code, json.loads(said.out), said.err) == (0, same, "")
    assert command("replay", "--all") == (0, "", "")
    real = archive.plan
    monkeypatch.setattr(
        archive, "plan", lambda snapshot, rules: real(snapshot, rules)._replace(because=stated("otherwise"))
    )
    said = command("replay", "--all", "--json")
    told = json.loads(said.out)
    assert (said.code, said.err) == (1, "")
    assert told | {"differences": []} == same
    assert {one["cycle_id"] for one in told["differences"]} == {cycle}
    lines = [f"{cycle}: {one['difference']}" for one in told["differences"]]
    assert command("replay", "--all") == (1, "\n".join(lines) + "\n", "")


def test_other_rules_are_told_without_colours_in_a_pipe(
    command: Command, cycle: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "other.yaml").write_text(OTHER)
    words = ("replay", cycle, "--config", "other.yaml")
    plain = command(*words)
    assert (plain.code, "\x1b" in plain.out, "1 of 1 cycles" in plain.out) == (0, False, True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in command(*words).out
    assert command(*words, "--no-color") == plain
