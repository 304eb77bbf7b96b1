"""Names that mean nothing are told: sectors in limits, symbols in a selection, variables beside a snapshot file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.contract import SNAPSHOT

LIMITS = "risk_management:\n  sector_limits:\n    Tech: 0.05\n"


@pytest.mark.parametrize("words", ["config check", "run-now", "plan", "session --speed 100000"])
def test_a_limit_of_no_sector_is_refused_with_what_was_meant(words: str, command: Command, project: Path) -> None:
    own = project / "own.yaml"
    own.write_text(LIMITS)
    said = command(*words.split(), "--config", str(own))
    assert said.code == 78
    assert (
        f"error: {own}:3: risk_management.sector_limits.Tech: no name in {project}/config/sectors.csv has the sector "
        "'Tech', so it limits nothing\n  hint: did you mean 'Technology'?\n" in said.err
    )


def test_a_snapshot_file_says_what_is_not_looked_at(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "day.json").write_text(SNAPSHOT)
    (project / "own.yaml").write_text(LIMITS)
    monkeypatch.setenv("REBALANCER__EXECUTION__MODE", "paper")
    said = command("plan", "--snapshot", "day.json", "--config", "own.yaml", "--only", "APL", "--cash=-5000", "--json")
    assert (said.code, said.err.splitlines()) == (
        0,
        [
            "warning: REBALANCER__EXECUTION__MODE: not looked at; a snapshot is planned by the files of --config alone",
            "warning: risk_management.sector_limits.Tech: no instrument has this sector, so it limits nothing; "
            "did you mean 'Technology'?",
            "warning: only APL: no such symbol here, so it does nothing; did you mean 'AAPL'?",
            "warning: cash: 5,000.00 USD are kept out of all targets, to leave the account",
        ],
    )
    assert json.loads(said.out)["orders"] == []


def test_a_run_says_what_its_selection_did(command: Command) -> None:
    said = command("run-now", "--dry-run", "--only", "ZZZZ")
    assert said.code == 0
    assert "warning: only ZZZZ: no such symbol here, so it does nothing; " in said.err


def test_an_amount_with_separators_is_refused(command: Command) -> None:
    said = command("plan", "--cash=-5_000")
    assert (said.code, "error: --cash: '-5_000' is not a number" in said.err) == (78, True)
