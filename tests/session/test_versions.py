"""Several versions on one journal: the older one stops before it sends anything, the newer one keeps a copy first, and
with that copy the older one goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import rebalancer.session.execute
import rebalancer.session.start
from rebalancer.journal import Journal
from tests.cli.conftest import Command, Said, command, project

__all__ = ["command", "project"]
OLD, NEW = "0.9.3", "0.10.0"
As = Callable[..., Said]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite"


@pytest.fixture
def as_version(command: Command, monkeypatch: pytest.MonkeyPatch) -> As:
    """A command of a program of some version. Two orders a cycle, so that every cycle has some."""
    monkeypatch.setenv("REBALANCER__EXECUTION__MAX_ORDERS_PER_EXECUTION", "2")

    def run(version: str, *words: str) -> Said:
        monkeypatch.setattr(rebalancer.session.execute, "__version__", version)
        monkeypatch.setattr(rebalancer.session.start, "__version__", version)
        return command(*words)

    return run


def copies(journal: Path) -> list[Path]:
    return sorted((journal.parent / "backups").glob("before-*.sqlite"))


def upgrades(journal: Path) -> list[object]:
    with Journal.open(journal) as opened:
        account = opened.cycles(None, 1)[0].account_id
        return [event.body for event in opened.recall(account, "program_upgraded")]


@pytest.mark.parametrize("words", [("run-now",), ("session", "--speed", "36000")])
def test_an_older_version_does_not_go_on(as_version: As, journal: Path, words: tuple[str, ...]) -> None:
    assert as_version(NEW, "run-now").code == 0
    with Journal.open(journal) as opened:
        rows = opened.verify()
    refused = as_version(OLD, *words)
    assert (refused.code, refused.out) == (78, "")
    assert refused.err.splitlines()[:2] == [
        f"error: {journal}: its newest cycle was run by rebalancer {NEW}, this is {OLD}",
        "  hint: start the newer one; the way back to this one is in docs/how-to/upgrade.md",
    ]
    with Journal.open(journal) as opened:
        assert opened.verify() == rows
    assert (copies(journal), upgrades(journal)) == ([], [])


@pytest.mark.parametrize("first", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_a_newer_version_keeps_a_copy_before_it_writes(as_version: As, journal: Path, first: tuple[str, ...]) -> None:
    assert as_version(OLD, "run-now").code == 0
    with Journal.open(journal) as opened:
        before = opened.verify()
    for words in (first, (), ()):
        assert as_version(NEW, "run-now", *words).code == 0
    (copy,) = copies(journal)
    assert re.fullmatch(rf"before-{re.escape(NEW)}-\d{{8}}T\d{{6}}Z\.sqlite", copy.name)
    assert upgrades(journal) == [{"from": OLD, "to": NEW, "copy": copy.name}]
    checked = as_version(OLD, "db", "check", str(copy))
    assert checked.code == 0
    with Journal.open(copy) as kept:
        assert kept.verify() == before
    assert as_version("a-fork", "run-now").code == 0
    assert [body["to"] for body in upgrades(journal) if isinstance(body, dict)] == [NEW, "a-fork"]


def test_dry_runs_of_a_newer_version_stop_no_older_one_and_keep_one_copy(as_version: As, journal: Path) -> None:
    assert as_version(OLD, "run-now").code == 0
    for _ in range(2):
        assert as_version(NEW, "run-now", "--dry-run").code == 0
        assert as_version(OLD, "run-now").code == 0
    (copy,) = copies(journal)
    kept = [{"from": OLD, "to": NEW, "copy": copy.name}]
    assert upgrades(journal) == kept
    assert as_version(NEW, "run-now").code == 0
    assert [body["to"] for body in upgrades(journal) if isinstance(body, dict)] == [NEW, NEW], "of what traded since"
    assert as_version(OLD, "run-now").code == 78


def test_the_copy_leads_back_to_the_older_version(as_version: As, journal: Path) -> None:
    for version in (OLD, NEW):
        assert as_version(version, "run-now").code == 0
    assert as_version(OLD, "run-now").code == 78
    (copy,) = copies(journal)
    assert as_version(OLD, "db", "restore", str(copy), "--reason", "back").code == 0
    lost = as_version(OLD, "run-now")
    assert lost.code == 5
    assert "not in this journal" in lost.out + lost.err
    assert as_version(OLD, "resume", "--reason", "back", "--yes").code == 0
    # The simulated clock goes on only while the exchange runs, so that a run may fall into the second of a lost one:
    # its orders have the ids of known ones then, and nothing is sent.
    while (again := as_version(OLD, "run-now")).code != 0:
        assert "this id was used before for another order" in again.err
    assert as_version(OLD, "db", "check").code == 0
    assert as_version(OLD, "replay", "--all").out == ""


def test_a_copy_that_fails_stops_no_trading(as_version: As, journal: Path) -> None:
    assert as_version(OLD, "run-now").code == 0
    (journal.parent / "backups").write_text("in the way")
    assert as_version(NEW, "run-now").code == 0
    assert upgrades(journal) == [{"from": OLD, "to": NEW, "copy": ""}]
    with Journal.open(journal) as opened:
        account = opened.cycles(None, 1)[0].account_id
        (alert,) = [event.body for event in opened.recall(account, "alert") if event.body["code"] == "backup"]
    assert alert["level"] == "warning"
    assert str(alert["text"]).startswith(f"the journal was not copied before version {NEW}: ")
