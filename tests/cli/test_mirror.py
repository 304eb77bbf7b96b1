"""`mirror` as a person types it: beside a real session, with the database away, and until the copy is a journal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rebalancer.core.database_url import shown
from rebalancer.journal import Journal
from rebalancer.journal.place import PostgresPlace
from rebalancer.ops.mirror_status import read_mirror_status
from rebalancer.session.setup import load_setup
from tests.cli.conftest import ROOT, Command
from tests.support.postgres import Cluster, shared_cluster

DAY = "2026-11-20"
SCHEMA = "rebalancer_simulated"
PASSWORD = "open-sesame-42"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    name = f"mirror_{abs(hash(str(tmp_path)))}"
    yield shared_cluster().database(name)
    with shared_cluster().connect("postgres") as hand:
        hand.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def environ(**more: str) -> dict[str, str]:
    few = {"REBALANCER__EXECUTION__INTERVAL_MINUTES": "65", "REBALANCER__PROTECTION__POLL_SECONDS": "3600"}
    return os.environ | few | {"PYTHONPATH": str(ROOT), "REBALANCER__REPORTING__PARITY": "false"} | more


def session(project: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rebalancer", "session", "--speed", "36000", "--day", DAY],
        cwd=project, env=environ(**more), capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def status_of(command: Command) -> dict[str, Any]:
    said = command("mirror", "status", "--json")
    assert said.code == 0, said.err
    return dict(json.loads(said.out))


def test_a_day_beside_a_session_and_a_second_host_that_takes_over(
    project: Path, database: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = database.replace("desk@", f"desk:{PASSWORD}@")
    done = session(project, REBALANCER__JOURNAL__MIRROR_URL=secret)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_URL", secret)
    state = load_setup(None).state
    level = status_of(command)
    with Journal.open(state / "journal.sqlite") as journal:
        newest = journal.latest_events(1)[0]
        head = {"row": newest.seq, "hash": journal.row_hash(newest.seq)}
        rows = journal.verify()
    assert (level["state"], level["primary"], level["lag"]["rows"], level["prefix"]) == ("level", head, 0, True)
    assert level["secondary"] == head | {"now": True}
    assert level["verified"] is not None
    verified = command("mirror", "verify", "--json")
    assert (verified.code, json.loads(verified.out)["row"]) == (0, newest.seq)
    screen = command("status")
    assert f"mirror   ✔ has every row, up to {newest.seq:,}" in screen.out
    assert "has every row" in command("doctor", "--offline").out
    assert "state      ✔ has every row" in command("mirror", "status").out
    leaks = [path for path in state.iterdir() if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert (leaks, PASSWORD in done.stderr + screen.out + json.dumps(level)) == ([], False)
    # another host: an empty state folder, the mirror as its journal
    monkeypatch.delenv("REBALANCER__JOURNAL__MIRROR_URL")
    monkeypatch.setenv("REBALANCER__JOURNAL__URL", secret)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    place = PostgresPlace(database, SCHEMA)
    assert "this is the mirror of" in command("status").out
    assert status_of(command)["state"] == "mirror"
    assert "nobody trades on it" in command("doctor", "--offline").out
    for words in (("mirror", "run"), ("mirror", "verify")):  # both are of the host that has the file
        said = command(*words)
        assert (said.code, "journal.mirror_url: no mirror is configured" in said.err) == (78, True), words
    refused = command("run-now")
    assert (refused.code, "rebalancer mirror promote" in refused.err) == (78, True)
    early = command("mirror", "promote", "--reason", "a try")
    assert (early.code, "still copies its journal here" in early.err) == (75, True)
    with Journal.open(place, create=False) as copy:
        assert copy.verify() == rows
    promoted = command("mirror", "promote", "--reason", "the first host burnt down", "--force")
    assert promoted.code == 0, promoted.err
    assert command("run-now").code in (0, 4, 5)
    with Journal.open(place, create=False) as copy:
        assert copy.verify() > rows
    # the first host comes back: what it wrote meanwhile goes nowhere
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("REBALANCER__JOURNAL__URL")
    monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_URL", secret)
    back = command("mirror", "run", "--once")
    assert (back.code, "is a journal of its own (it was promoted" in back.err) == (78, True)
    assert status_of(command)["state"] == "refused"
    assert "! " in command("doctor", "--offline").out


def test_a_database_that_is_down_delays_nothing_and_is_caught_up_with(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every slot of the day has its cycle; the lag is shown with its beginning; an alert says it once; then all rows
    are copied."""
    cluster = Cluster().create()
    try:
        url = cluster.database("desk")
        monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_URL", url)
        assert command("mirror", "run", "--once").code == 0
        cluster.stop()
        warned = {"REBALANCER__JOURNAL__MIRROR_WARN_MINUTES": "0.001"}
        done = session(project, REBALANCER__JOURNAL__MIRROR_URL=url, **warned)
        assert done.returncode == 0, done.stderr
        state = load_setup(None).state
        with Journal.open(state / "journal.sqlite") as journal:
            account = journal.cycles()[0].account_id
            (day,) = journal.events(kind="end_of_day")
            alerts = [event.body["code"] for event in journal.recall(account, "alert", keys=["mirror"])]
            newest = journal.latest_events(1)[0].seq
        assert (sum(day.body["slots"].values()), set(day.body["slots"]) <= {"COMPLETED", "HOLDING"}) == (6, True)
        assert alerts == ["mirror_behind"]
        away = status_of(command)
        reported = read_mirror_status(state)
        assert reported is not None
        assert (away["state"], away["secondary"]["now"]) == ("away", False)
        assert away["lag"]["rows"] == newest - away["secondary"]["row"] > 0
        assert away["lag"]["since"] == away["level_at"] == reported.level_at
        assert away["lag"]["seconds"] > 0
        assert "cannot be reached" in away["last_error"]["text"]
        assert "cannot be reached" in command("mirror", "run", "--once").err
        cluster.start()
        caught_up = command("mirror", "run", "--once")
        assert caught_up.code == 0, caught_up.err
        level = status_of(command)
        assert (level["state"], level["lag"]) == ("level", {"rows": 0, "seconds": 0.0, "since": None})
        assert command("mirror", "verify").code == 0
    finally:
        cluster.remove()


def test_without_a_mirror_and_with_one_too_many(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert status_of(command)["state"] == "off"
    for words in (("run",), ("run", "--once"), ("verify",), ("promote", "--reason", "x")):
        said = command("mirror", *words)
        assert (said.code, "journal.mirror_url: no mirror is configured" in said.err) == (78, True), words
    monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_URL", "postgresql://a@db/one")
    monkeypatch.setenv("REBALANCER__JOURNAL__URL", "postgresql://a@db/two")
    both = command("config", "check")
    assert (both.code, "mirror_url is for a journal in a file" in both.err) == (78, True)
    monkeypatch.delenv("REBALANCER__JOURNAL__MIRROR_URL")
    monkeypatch.setenv("REBALANCER__JOURNAL__URL", "postgresql://a@db/two?schema=mine")
    named = command("config", "check")
    assert (named.code, "journal.url: names a schema, which follows from profile and mode" in named.err) == (78, True)


def test_what_verify_finds_is_shown_by_status(
    command: Command, project: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_URL", database)
    state = load_setup(None).state
    state.mkdir(parents=True, exist_ok=True)
    with Journal.open(state / "journal.sqlite") as journal:
        journal.record_event("a", None, datetime(2026, 11, 20, 17, tzinfo=UTC), "note", None, {"text": "good"})
        journal.record_event("a", None, datetime(2026, 11, 20, 17, tzinfo=UTC), "note", None, {"text": "newest"})
    assert command("mirror", "run", "--once").code == 0
    assert command("mirror", "verify").code == 0
    assert (status_of(command)["state"], status_of(command)["verified"]["row"]) == ("level", 2)
    with psycopg.connect(database, autocommit=True) as hand:
        hand.execute(f"ALTER TABLE {SCHEMA}.events DISABLE TRIGGER ALL")
        hand.execute(f"UPDATE {SCHEMA}.events SET body = replace(body, 'good', 'bad')")
        differs = command("mirror", "verify")
        assert (differs.code, "row 1 differs" in differs.err) == (78, True)
        assert status_of(command)["state"] == "refused"
        assert command("mirror", "run", "--once").code == 0  # rows are copied on
        found = status_of(command)
        assert (found["state"], "row 1 differs" in found["last_error"]["text"]) == ("refused", True)
        hand.execute(f"UPDATE {SCHEMA}.events SET body = replace(body, 'bad', 'good')")
    assert command("mirror", "verify").code == 0
    assert (status_of(command)["state"], status_of(command)["last_error"]) == ("level", None)


def test_the_names_of_the_mirror_are_its_own(command: Command, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REBALANCER__JOURNAL__MIRROR_URL", f"{database}?schema=copies_of_alpha")
    monkeypatch.setenv("REBALANCER_HOST_NAME", "alpha")
    assert status_of(command)["state"] == "new"
    assert command("mirror", "run", "--once").code == 0
    found = status_of(command)
    assert (found["host"], found["mirror"]) == ("alpha", f"{shown(database)} (schema copies_of_alpha)")
    with psycopg.connect(database) as look:
        assert look.execute("SELECT host FROM copies_of_alpha.mirror").fetchall() == [("alpha",)]
