"""Full disks, locks, rights and the places where a journal may lie."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from journal_kit import in_a_child, run_cycle, start, steps_of_a_cycle
from sqlalchemy import event

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal, sqlite
from rebalancer.journal.filesystem import file_system_of, refuse_remote


def test_every_connection_is_durable_and_a_refused_pragma_stops(path: Path) -> None:
    journal = Journal.open(path)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    with journal._store.reading() as one, journal._store.reading() as two:
        for connection in (one, two):
            assert {n: connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in wanted} == wanted
    in_memory = sqlite.engine_of(Path(":memory:"), 10)
    with pytest.raises(JournalBroken, match="would not set journal_mode to wal; it stays at memory"):
        in_memory.connect()
    journal.close()


def test_a_file_that_another_program_holds_alone_is_refused(path: Path) -> None:
    holder = sqlite3.connect(path)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("PRAGMA journal_mode = DELETE")
    with pytest.raises(JournalBroken, match="locked"):
        Journal.open(path, busy_timeout_ms=20)
    holder.close()


def test_private_files_in_a_private_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state" / "journal.sqlite"
    with Journal.open(path) as journal:
        run_cycle(journal, "c1")
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in (path.parent, *path.parent.iterdir())}
    names = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite.head")
    assert modes == {"state": "0o700"} | dict.fromkeys(names, "0o600")


def test_loose_rights(path: Path) -> None:
    path.chmod(0o644)
    Journal.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    path.parent.chmod(0o777)
    with pytest.raises(JournalBroken, match="others can write to this folder\n  hint: chmod 700"):
        Journal.open(path)


def test_places_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="there is no journal yet"):
        Journal.open(tmp_path / "none.sqlite", create=False)
    assert list(tmp_path.iterdir()) == []
    for place, problem in (
        ("mysql://u:secret@h/db", "mysql: a journal cannot be kept there"),
        ("postgresql://u:secret@h/", "names no database"),
        (":memory:", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ):
        with pytest.raises(JournalBroken, match=problem) as caught:
            Journal.open(place)
        assert "secret" not in str(caught.value)
    link = tmp_path / "link.sqlite"
    link.symlink_to(tmp_path / "elsewhere.sqlite")
    with pytest.raises(JournalBroken, match="is not a regular file"):
        Journal.open(link)
    with pytest.raises(JournalBroken, match="not a regular file"):
        Journal.open(tmp_path, create=False)


def test_a_url_is_a_path(path: Path) -> None:
    with Journal.open(f"sqlite:///{path}", create=False) as journal:
        assert journal.place == path


def test_remote_file_systems_are_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "28 27 0:40 / /mnt/my\\040share rw shared:1 - nfs4 host:/x rw\n"
        "29 27 0:41 / /home rw - ext4 /dev/vdb rw\n"
        "30 27 0:42 / /home rw - fuse.sshfs x rw\n"
        "31 27 0:43 / /homely rw - xfs x rw\n"
    )
    kinds = {"/": "ext4", "/mnt/my share/a/b": "nfs4", "/mnt/my": "ext4", "/home/x": "fuse.sshfs", "/homely/x": "xfs"}
    assert {place: file_system_of(Path(place), mounts) for place in kinds} == kinds
    for place, kind in kinds.items():
        if kind in ("nfs4", "fuse.sshfs"):
            with pytest.raises(JournalBroken, match=f"lies on a {kind} file system"):
                refuse_remote(Path(place), mounts)
        else:
            refuse_remote(Path(place), mounts)
    assert file_system_of(Path("/"), tmp_path / "missing") is None


def test_a_full_disk_at_every_page(path: Path) -> None:
    """Whatever returned is kept, whatever raised left no trace, and with space again all goes on."""
    outcomes = set()
    for spare in range(7):
        copy = path.with_name(f"{spare}.sqlite")
        shutil.copy(path, copy)
        with Journal.open(copy) as journal:
            engine = journal._store.database.engine
            with closing(sqlite3.connect(copy)) as raw:
                pages = raw.execute("PRAGMA page_count").fetchone()[0]
            limit = [pages + spare]
            event.listen(
                engine, "checkout", lambda c, *_, limit=limit: c.execute(f"PRAGMA max_page_count = {limit[0]}")
            )
            done = 0
            try:
                for number in range(20):
                    for step in steps_of_a_cycle(journal, f"c{number}"):
                        before = journal.latest_events(1)
                        step()
                        done += 1
            except JournalBroken as error:
                outcomes.add(str(error).partition(": ")[2].partition(" (")[0])
                assert journal.latest_events(1) == before
            limit[0] = 10**6
            assert done == sum(
                {"cycle_verdicts": 0, "order_intended": 0.5}.get(e.kind, 1) for e in journal.latest_events(1000)
            )
            journal.verify()
            run_cycle(journal, "after")
    assert outcomes == {"the disk is full"}


def test_locked_by_another_program(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    with Journal.open(path, busy_timeout_ms=30) as journal:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBroken, match="another program holds the journal locked"):
            journal.begin_cycle(start("c1"))
        assert journal.cycles() == ()  # reading goes on beside a writer
        other.execute("ROLLBACK")
        assert journal.begin_cycle(start("c1")) is True
    other.close()


def test_a_read_only_file(empty_file: bytes) -> None:
    """As a user without the right to write; root is made one first."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "journal.sqlite"
    path.write_bytes(empty_file)
    path.chmod(0o400)
    if os.geteuid() == 0:
        for place in (folder, path):
            os.chown(place, 65534, 65534)
    folder.chmod(0o500)

    def work() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            with Journal.open(path) as journal:
                journal.begin_cycle(start("c1"))
        except JournalBroken as error:
            os._exit(7 if "cannot be" in str(error) else 8)
        os._exit(9)

    try:
        assert in_a_child(work) == 7
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_after_a_failing_disk_nothing_more_is_written(path: Path) -> None:
    journal = Journal.open(path)
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(JournalBroken, match="the disk failed"), journal._store.writing():
        raise failure
    with pytest.raises(JournalBroken, match="the disk failed earlier in this run; nothing more is written"):
        journal.begin_cycle(start("c1"))
    with Journal.open(journal.place) as again:
        assert again.begin_cycle(start("c1")) is True

    journal.close()
