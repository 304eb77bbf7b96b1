"""`db backup`, `db check` and `db restore` as a person types them, and the copy that a day's end makes by itself."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rebalancer.core.errors import LockHeld
from rebalancer.core.values import time_text
from rebalancer.journal import Journal, copying
from rebalancer.journal.backups import newest_first
from rebalancer.journal.lease import Holder, held_lease
from rebalancer.journal.place import place_of
from rebalancer.ops.clock import SystemClock
from rebalancer.ops.notify import Notify
from rebalancer.ops.paths import LOCK_NAME
from rebalancer.ops.paths import SESSION_LOCK_NAME as SESSION_LOCK
from rebalancer.ops.run_lock import RunLock
from rebalancer.session.setup import load_setup
from rebalancer.session.work import SessionWork
from tests.cli.conftest import Command
from tests.support.postgres import shared_cluster

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def journalled() -> Path:
    """A journal with one event, where the command looks for it."""
    path = load_setup(None).journal
    with Journal.open(path) as journal:
        journal.record_event("a", None, NOON, "note", None, {"text": "trading went on"})
    return path


def test_there_and_back(command: Command, project: Path, tmp_path: Path) -> None:
    assert command("db", "check").code == 2, "nothing has been run yet"
    journal = journalled()
    said = command("db", "backup", "--to", str(tmp_path / "usb"), "--json")
    told = json.loads(said.out)
    assert (said.code, told["schema"], told["rows"], told["removed"]) == (0, "rebalancer.db-backup/1", 1, [])
    checked = json.loads(command("db", "check", told["file"], "--json").out)
    assert (checked["integrity"], checked["chain"], checked["rows"], checked["in_use"]) == ("ok", "ok", 1, False)
    assert checked["newest"] == {"row": 1, "kind": "note", "at": time_text(NOON)}
    for lock in (SESSION_LOCK, LOCK_NAME):
        with RunLock(load_setup(None).state / lock, "session"):
            held = command("db", "restore", told["file"], "--reason", "too early")
        assert (held.code, "held by process" in held.err) == (75, True)
    before = journal.read_bytes()
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(Path(told["file"]).read_bytes().replace(b"trading went on", b"trading went up"))
    refused = command("db", "restore", str(bad), "--reason", "a try")
    assert (refused.code, refused.err.startswith(f"error: {bad}: journal row 1 ('note') was altered")) == (78, True)
    assert refused.err.endswith("\nnothing was restored\n")
    assert command("db", "check", str(bad)).code == 78
    assert journal.read_bytes() == before
    assert command("db", "restore", told["file"], "--reason", " ").code == 2
    done = command("db", "restore", told["file"], "--reason", "the disk died")
    assert (done.code, "rebalancer resume --reason" in done.err) == (0, True)
    said = command("db", "check")
    assert (said.code, "intact, 2 rows" in said.out, "journal_restored" in said.out) == (0, True, True)


@pytest.mark.parametrize("broken", [False, True])
def test_the_end_of_a_day_copies_and_never_fails(project: Path, broken: bool) -> None:
    path = journalled()
    setup = load_setup(None)
    if broken:
        (setup.state / "backups").write_text("no folder")
    with Journal.open(path) as journal:
        work: Any = SessionWork.__new__(SessionWork)  # the copy needs these six parts of it and no broker
        work._setup, work._journal, work._account_id = setup, journal, "a"
        work._clock, work._broker = SimpleNamespace(wall=lambda: NOON), SimpleNamespace(now=lambda: NOON)
        work._notify = Notify(None)
        logging.disable(logging.CRITICAL)
        try:
            work._back_up()
        finally:
            logging.disable(logging.NOTSET)
        alerts = [(e.key, e.body["level"]) for e in journal.events(kind="alert")]
        journal.record_event("a", None, NOON, "note", None, {"text": "and on"})
    names = [copy.name for copy in newest_first(setup.state / "backups")]
    assert (alerts, names) == (([("backup", "warning")], []) if broken else ([], ["journal-20261120T120000Z.sqlite"]))


def test_no_restore_under_another_host(
    command: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REBALANCER__JOURNAL__URL", shared_cluster().database("restored"))
    with Journal.open(load_setup(None).journal) as journal:
        journal.record_event("a", None, NOON, "note", None, {"text": "trading went on"})
        copy = json.loads(command("db", "backup", "--to", str(tmp_path / "usb"), "--json").out)["file"]
        with held_lease(journal, "a", Holder("bbbb", "beta", "1"), 60, NOON, SystemClock()) as lease:
            held = command("db", "restore", copy, "--reason", "too early")
            lease.release()
    assert (held.code, "is traded by beta, until" in held.err) == (75, True)
    assert command("db", "restore", copy, "--reason", "nobody trades").code == 0


def test_no_copy_of_a_journal_in_use(command: Command, project: Path, tmp_path: Path) -> None:
    """The copy would lack what a session goes on to write."""
    journal, state = journalled(), load_setup(None).state
    there = shared_cluster().database("copied")
    copy, back = ("db", "copy", "--from", str(journal), "--to", there), tmp_path / "back.sqlite"
    wrong = command("db", "copy", "--from", str(back), "--to", there)
    hint = "name a journal's file or its address"
    assert wrong == (78, "", f"error: {back}: there is no such file\n  hint: {hint}\n")
    for lock in (SESSION_LOCK, LOCK_NAME):
        with RunLock(state / lock, "session"):
            held = command(*copy)
        assert (held.code, "held by process" in held.err) == (75, True)
    done = command(*copy)
    assert (done.code, "copied and compared: 1 row\n" in done.err) == (0, True), done.err
    place = place_of(there, schema="rebalancer_simulated")
    again = ("db", "copy", "--from", there, "--to", str(back))
    with Journal.open(place) as kept:
        with held_lease(kept, "a", Holder("bbbb", "beta", "1"), 60, NOON, SystemClock()) as lease:
            held = command(*again)
            lease.release()
        assert (held.code, "is traded by beta, until" in held.err) == (75, True)
        assert not back.exists()
    assert command(*again).code == 0


def test_no_copy_of_a_journal_that_grows_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that began during the copy: it held neither lock nor lease at its beginning."""
    first, second = tmp_path / "first.sqlite", tmp_path / "second.sqlite"
    with Journal.open(first) as journal, Journal.open(second) as other:
        journal.record_event("a", None, NOON, "note", None, {"text": "before"})

        def compared(*_: object) -> int:
            journal.record_event("a", None, NOON, "note", None, {"text": "meanwhile"})
            return 1

        monkeypatch.setattr(copying, "_compared", compared)
        with pytest.raises(LockHeld, match="was written to meanwhile"):
            copying.copy_rows(journal.store, other.store, at_rest=True)
        assert other.latest_events(9) == ()
