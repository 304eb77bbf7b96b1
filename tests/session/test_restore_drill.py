"""`db drill`: the newest backup is restored for a try, and what would make a restore fail is told."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal
from rebalancer.journal.backups import FOLDER, newest_first, take
from rebalancer.session.restore_drill import KIND, restore_drill
from rebalancer.session.setup import load_setup
from tests.cli.conftest import Command, command, project
from tests.journal.journal_kit import WRITER, end, start, verdict

__all__ = ["command", "project"]  # fixtures
FRIDAY = datetime(2026, 11, 20, 22, tzinfo=UTC)


def closed_cycle(journal: Journal, name: str) -> None:
    journal.begin_cycle(start(name))
    journal.close_cycle(end(name), [verdict("s")])


def test_a_real_backup_of_a_real_run(command: Command, project: Path) -> None:
    assert command("db", "drill").code == 2, "nothing has been run yet"
    assert command("run-now").code == 0
    missing = command("db", "drill")
    assert (missing.code, "there is no copy" in missing.err) == (78, True)
    assert command("db", "backup").code == 0
    said = command("db", "drill", "--json")
    found = json.loads(said.out)
    assert (said.code, found["plans_equal"]) == (0, 1)
    setup = load_setup(None)
    with Journal.open(setup.journal) as journal:
        events = journal.latest_events(10)
        alerts = [event.body["text"] for event in events if event.kind == "alert"]
        drills = [dict(event.body) for event in events if event.kind == KIND]
    assert drills == [{"file": Path(found["file"]).name, "rows": found["rows"], "plans": 1}]
    assert len(alerts) == 1
    assert alerts[0].startswith("the newest backup cannot be restored: ")
    assert not list(Path(found["file"]).parent.glob("*restoring*"))
    assert command("run-now").code == 0, "trading goes on as before"


def test_what_would_make_a_restore_fail(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        closed_cycle(journal, "c1")
        take(tmp_path / "journal.sqlite", tmp_path / FOLDER, FRIDAY)
        assert restore_drill(journal, tmp_path, FRIDAY).rows == 4
        later = FRIDAY + timedelta(days=30)
        restore_drill(journal, tmp_path, later - timedelta(days=27))
        journal.record_event(WRITER, None, later, "note", None, {})
        with pytest.raises(JournalBroken, match="ends on 2026-11-20"):
            restore_drill(journal, tmp_path, later)
        copy = newest_first(tmp_path / FOLDER)[0]
        content = copy.read_bytes()
        copy.write_bytes(content.replace(b"s-1", b"s-2").replace(b'"AAPL"', b'"AAPX"'))
        with pytest.raises(JournalBroken):
            restore_drill(journal, tmp_path, FRIDAY)


def test_a_copy_of_another_journal(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Journal.open(other / "journal.sqlite") as journal:
        journal.begin_cycle(start("c9"))
        take(other / "journal.sqlite", other / FOLDER, FRIDAY)
    shutil.copytree(other / FOLDER, tmp_path / FOLDER)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        closed_cycle(journal, "c1")
        with pytest.raises(JournalBroken, match="is of another journal"):
            restore_drill(journal, tmp_path, FRIDAY)
        alert = journal.latest_events(1)[0]
        assert (alert.kind, alert.body["code"], alert.body["level"]) == ("alert", "restore_drill", "action")
