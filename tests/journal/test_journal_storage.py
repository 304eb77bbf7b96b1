"""Full disks, locks, crashes, rights and versions."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from journal_kit import WRITER, at, run_cycle, start, steps_of_a_cycle
from sqlalchemy import event

from rebalancer.world.journal import Journal, glance, sqlite, upgrade
from rebalancer.world.journal.filesystem import file_system_of, refuse_remote
from rebalancer.world.journal.schema import metadata
from rebalancer.world.journal.store import Writing
from rebalancer.world.ports import JournalBroken

FORK = multiprocessing.get_context("fork")


def in_a_child(work: Callable[[], None]) -> int:
    """Run in a forked process and return its exit code; minus the signal when it was killed."""
    child = FORK.Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode


def test_every_connection_is_durable_and_a_refused_pragma_stops(journal: Journal) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    with journal._store.reading() as one, journal._store.reading() as two:
        for connection in (one, two):
            assert {n: connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in wanted} == wanted
    in_memory = sqlite.engine_of(Path(":memory:"), 10)
    with pytest.raises(JournalBroken, match="would not set journal_mode to wal; it stays at memory"):
        in_memory.connect()


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
    with pytest.raises(JournalBroken, match="others may write in this folder\n  hint: chmod 700"):
        Journal.open(path)


def test_places_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="there is no journal yet"):
        Journal.open(tmp_path / "none.sqlite", create=False)
    assert list(tmp_path.iterdir()) == []
    for place, problem in (
        ("postgresql://u:secret@h/db", "postgresql: only SQLite"),
        (":memory:", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ):
        with pytest.raises(JournalBroken, match=problem) as caught:
            Journal.open(place)
        assert "secret" not in str(caught.value)
    link = tmp_path / "link.sqlite"
    link.symlink_to(tmp_path / "elsewhere.sqlite")
    with pytest.raises(JournalBroken, match="cannot be opened"):
        Journal.open(link)
    with pytest.raises(JournalBroken, match="not a plain file"):
        Journal.open(tmp_path, create=False)


def test_a_url_is_a_path(path: Path) -> None:
    with Journal.open(f"sqlite:///{path}", create=False) as journal:
        assert journal.path == path


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
            engine = journal._store.engine
            pages = sqlite3.connect(copy).execute("PRAGMA page_count").fetchone()[0]
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


def test_after_a_failing_disk_nothing_more_is_written(journal: Journal) -> None:
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(JournalBroken, match="the disk failed"), journal._store.writing():
        raise failure
    with pytest.raises(JournalBroken, match="the disk failed earlier in this run; nothing more is written"):
        journal.begin_cycle(start("c1"))
    with Journal.open(journal.path) as again:
        assert again.begin_cycle(start("c1")) is True


def test_killed_after_any_number_of_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For N = 1, 2, ... kill -9 at the Nth row: what was acknowledged is there, the rest is not, the chain holds."""
    whole = 11
    for row in range(1, whole + 2):
        copy = path.with_name(f"{row}.sqlite")
        shutil.copy(path, copy)
        receiver, sender = FORK.Pipe(duplex=False)

        def work(copy: Path = copy, row: int = row, sender: Connection = sender) -> None:
            append, left = Writing.append, [row]

            def dying(self: Writing, *event: object) -> None:
                append(self, *event)  # type: ignore[arg-type]  # the same arguments
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            monkeypatch.setattr(Writing, "append", dying)
            with Journal.open(copy) as journal:
                for step in steps_of_a_cycle(journal, "c1"):
                    step()
                    sender.send(len(journal.latest_events(100)))

        code = in_a_child(work)
        sender.close()
        acknowledged = 0
        while receiver.poll():
            try:
                acknowledged = receiver.recv()
            except EOFError:
                break
        assert code == (0 if row > whole else -signal.SIGKILL)
        with Journal.open(copy) as journal:
            journal.verify()
            assert len(journal.latest_events(100)) == acknowledged
            open_cycles = [record.cycle_id for record in journal.open_cycles(WRITER)]
            assert open_cycles == (["c1"] if 0 < acknowledged < whole else [])


def test_killed_at_a_moment_of_its_own(path: Path) -> None:
    receiver, sender = FORK.Pipe(duplex=False)

    def work() -> None:
        with Journal.open(path) as journal:
            for number in range(100_000):
                journal.record_event(WRITER, None, at(number), "alert", str(number), {})
                sender.send(number)

    child = FORK.Process(target=work)
    child.start()
    seen = [receiver.recv() for _ in range(40)]
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join(60)
    while receiver.poll():
        seen.append(receiver.recv())
    with Journal.open(path) as journal:
        kept = [int(event.key or "") for event in journal.events()]
        assert kept[: len(seen)] == seen
        assert len(kept) - len(seen) in (0, 1)  # one more may have been committed and not acknowledged
        assert journal.verify() == len(kept)


def test_a_deleted_write_ahead_log_is_noticed(path: Path) -> None:
    def work() -> None:
        journal = Journal.open(path)
        run_cycle(journal, "c1")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_child(work) == -signal.SIGKILL
    Path(f"{path}-wal").unlink()
    Path(f"{path}-shm").unlink()
    with pytest.raises(JournalBroken, match="11 rows were written, but only 0 are there"):
        Journal.open(path)


def test_many_processes_one_winner_per_slot(path: Path) -> None:
    slots, racers = 15, 4
    receiver, sender = FORK.Pipe(duplex=False)
    barrier = FORK.Barrier(racers)

    def race(name: int) -> None:
        with Journal.open(path, holder=f"racer {name}") as journal:
            barrier.wait(30)
            for slot in range(slots):
                if journal.begin_cycle(start(f"c{slot}")):
                    sender.send((slot, name))

    children = [FORK.Process(target=race, args=(name,)) for name in range(racers)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * racers
    wins = []
    while receiver.poll():
        wins.append(receiver.recv())
    assert sorted(slot for slot, _ in wins) == list(range(slots))
    with Journal.open(path) as journal:
        holders = {e.cycle_id: e.body["holder"] for e in journal.events(kind="cycle_started")}
        assert holders == {f"c{slot}": f"racer {name}" for slot, name in wins}
        assert journal.verify() == 2 * slots


def test_many_processes_make_one_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"

    def work() -> None:
        with Journal.open(path) as journal:
            journal.record_event(WRITER, None, at(0), "alert", None, {})

    children = [FORK.Process(target=work) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    with Journal.open(path, create=False) as journal:
        assert journal.verify() == 4


# versions and copies


def test_the_migrations_lead_to_the_schema(journal: Journal) -> None:
    with journal._store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert glance.SCHEMA == upgrade.NEWEST
    newest = max(file.name[:4] for file in (upgrade.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert newest == upgrade.NEWEST


def test_a_newer_schema_is_refused_and_left_alone(three_cycles: Path) -> None:
    with sqlite3.connect(three_cycles) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.close()
    before = three_cycles.read_bytes()
    with pytest.raises(JournalBroken, match="has schema 0002, this program knows 0001\n  hint: a newer rebalancer"):
        Journal.open(three_cycles)
    assert three_cycles.read_bytes() == before
    seen = glance.glance(three_cycles, day_start=at(0))
    assert seen is not None
    assert seen.schema_ok is False


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "UPDATE alembic_version SET version_num = 'x'"])
def test_another_programs_database_is_refused(three_cycles: Path, statement: str) -> None:
    with sqlite3.connect(three_cycles) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(JournalBroken, match="is a database, but not a journal"):
        Journal.open(three_cycles)


SECOND = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.add_column("signals", sa.Column("note", sa.Text))
    {more}
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The package's migrations, to which a test adds the next one."""
    target = tmp_path / "100% migrations"
    shutil.copytree(upgrade.MIGRATIONS, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_an_upgrade_keeps_a_copy(three_cycles: Path, migrations: Path) -> None:
    (migrations / "versions" / "0002_next.py").write_text(SECOND.format(more=""))
    with Journal.open(three_cycles) as journal:
        upgrade.upgrade(journal._store, "0002", migrations)
        assert journal.verify() == 43
    copy = three_cycles.with_name("journal.sqlite.schema-0001")
    columns = [
        [row[1] for row in sqlite3.connect(file).execute("PRAGMA table_info(signals)")] for file in (three_cycles, copy)
    ]
    assert columns[0] == [*columns[1], "note"]
    with Journal.open(copy) as old:
        assert old.verify() == 43


def test_a_failing_upgrade_changes_nothing(three_cycles: Path, migrations: Path) -> None:
    (migrations / "versions" / "0002_next.py").write_text(SECOND.format(more='op.execute("SELECT nonsense")'))
    with Journal.open(three_cycles) as journal:
        with pytest.raises(JournalBroken, match="nonsense"):
            upgrade.upgrade(journal._store, "0002", migrations)
        with journal._store.reading() as connection:
            assert upgrade.version_of(connection, three_cycles) == "0001"
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_backup_is_complete_private_and_never_overwrites(three_cycles: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    with Journal.open(three_cycles) as journal:
        assert journal.backup(target) == 43
        assert target.stat().st_mode & 0o777 == 0o600
        with Journal.open(target, create=False) as copy:
            assert copy.latest_events(100) == journal.latest_events(100)
        with pytest.raises(JournalBroken, match="the copy cannot be written: File exists"):
            journal.backup(target)
        with pytest.raises(JournalBroken, match="No such file"):
            journal.backup(tmp_path / "nowhere" / "copy.sqlite")
