"""`db size`, `db archive` and `db unpack` as a person types them, and every reader of a journal whose oldest documents
are in an archive."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal import Journal
from rebalancer.ops.paths import LOCK_NAME, SESSION_LOCK_NAME
from rebalancer.ops.run_lock import RunLock
from rebalancer.session.setup import load_setup
from tests.cli.conftest import Command
from tests.support.postgres import shared_cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def three_cycles(
    request: pytest.FixtureRequest, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[str, str]:
    """A journal with three cycles, the middle one by other rules; the machine's clock is a month later. The ids of the
    last two."""
    if request.param == "postgresql":
        name = f"archive_{abs(hash(str(tmp_path)))}"
        monkeypatch.setenv("REBALANCER__JOURNAL__URL", shared_cluster().database(name))
    for minutes in ("10", "11", "10"):
        monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_WARN_MINUTES", minutes)
        assert command("run-now").code in (0, 4)
    with Journal.open(load_setup(None).journal) as journal:
        newest, middle, _ = journal.cycles()
        later = journal.latest_events(1)[0].at + timedelta(days=30)
    monkeypatch.setattr("rebalancer.cli.db._now", lambda: later)
    return middle.cycle_id, newest.cycle_id


def day_after(cycle_id: str) -> str:
    moment = datetime.fromisoformat(cycle_id[:16]).replace(tzinfo=UTC)
    return (day_in_new_york(moment) + timedelta(days=1)).isoformat()


def test_readers_go_on_without_what_an_archive_has(
    three_cycles: tuple[str, str], command: Command, tmp_path: Path
) -> None:
    old, new = three_cycles
    archive, before = tmp_path / "old.sqlite.gz", day_after(new)
    readers = (
        ("status",), ("history",), ("performance", "--json"), ("export", "fills"), ("export", "orders", "--json"),
        ("export", "cycles"), ("export", "trips"), ("doctor", "--offline"), ("report", "--period", "all", "--json"),
        ("parity", "--json"), ("signals", "list"), ("explain", "AAPL"),
    )  # fmt: skip
    codes = {words: command(*words).code for words in readers}
    fills, evidence = command("export", "fills").out, command("evidence", "write").out.strip()
    for lock in (SESSION_LOCK_NAME, LOCK_NAME):
        with RunLock(load_setup(None).state / lock, "session"):
            held = command("db", "archive", "--before", before, "--to", str(archive), "--remove")
        assert (held.code, archive.exists()) == (75, False)
    size = json.loads(command("db", "size", "--json").out)
    said = command("db", "archive", "--before", before, "--to", str(archive), "--remove", "--json")
    assert said.code == 0, said.err
    done = json.loads(said.out)
    assert (said.code, done["removed"]["documents"], archive.exists()) == (0, 2, True), said.err
    with Journal.open(load_setup(None).journal) as journal:
        assert (journal.plan_text(old), journal.plan_text(new) is None) == (None, False)
        assert journal.row_hash(done["row"]) == done["hash"]
    assert {words: command(*words).code for words in readers} == codes
    assert command("export", "fills").out == fills
    assert command("evidence", "verify", evidence, "--journal").code == 0
    again = command("replay", "--all")
    assert (again.code, again.out, "1 cycle not planned again" in again.err) == (0, "", True)
    gone = command("explain", "AAPL", "--cycle", old)
    assert (gone.code, "rebalancer db unpack" in gone.err) == (78, True)
    assert command("db", "check").code == command("db", "backup").code == command("db", "drill").code == 0
    assert command("run-now").code in (0, 4)
    checked = json.loads(command("db", "check", str(archive), "--json").out)
    assert (checked["file"], checked["newest"]["row"], checked["in_use"]) == (str(archive), done["row"], False)
    # the archive as a state of its own
    unpacked = command("db", "unpack", str(archive), "--to", str(tmp_path / "then"))
    assert unpacked.code == 0, unpacked.err
    assert command("export", "fills", "--state", str(tmp_path / "then")).out == fills
    assert command("db", "unpack", str(archive), "--to", str(tmp_path / "then")).code == 78
    kinds = {(one["table"], one["kind"]): one["rows"] for one in size["kinds"]}
    assert kinds[("documents", "snapshot")] == kinds[("documents", "plan")] == 3
    assert size["in_a_year"] > size["bytes"] > sum(one["bytes"] for one in size["kinds"])


def test_the_limit_is_told_before_it_is_reached(
    three_cycles: tuple[str, str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert three_cycles
    monkeypatch.setenv("REBALANCER__JOURNAL__SIZE_LIMIT_MB", "1")
    size = json.loads(command("db", "size", "--json").out)
    assert (size["limit"]["bytes"], size["limit"]["source"]) == (1_000_000, "journal.size_limit_mb")
    assert "of 1 MB" in command("db", "size").out or "limit 1.0 MB" in command("db", "size").out
    assert "! journal size: " in command("doctor", "--offline").out


def test_words_that_are_refused(command: Command, tmp_path: Path) -> None:
    assert command("db", "size").code == command("db", "archive", "--before", "2026-11-01").code == 2
    assert command("run-now").code in (0, 4)
    odd = command("db", "archive", "--before", "01/11/2026")
    assert (odd.code, "--before: '01/11/2026' is not a day" in odd.err) == (78, True)
    soon = command("db", "archive", "--before", "9999-01-01", "--to", str(tmp_path / "x"))
    assert (soon.code, "is less than 7 days ago" in soon.err) == (78, True)
    (tmp_path / "no.gz").write_bytes(b"\x1f\x8bnothing")
    for words in (("check", str(tmp_path / "no.gz")), ("unpack", str(tmp_path / "no.gz"), "--to", str(tmp_path / "d"))):
        bad = command("db", *words)
        assert (bad.code, "is not a whole archive" in bad.err) == (78, True), bad.err
