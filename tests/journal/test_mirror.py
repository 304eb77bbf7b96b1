"""A mirror is a prefix of its journal at every moment, and the whole of it at rest; nothing of it delays a writer."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_kit import WRITER, at, in_a_child, plain, raw, run_cycle, start, steps_of_a_cycle, unguarded

from rebalancer.core.errors import JournalBroken, JournalLocked, LockHeld, MirrorRefused
from rebalancer.journal import Journal
from rebalancer.journal.copying import TABLES
from rebalancer.journal.mirror import copier as copier_module
from rebalancer.journal.mirror.copier import Copier
from rebalancer.journal.mirror.mark import EMPTY, PROMOTED, read_mark
from rebalancer.journal.mirror.secondary import Secondary
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.read_only import read_only
from rebalancer.journal.status_query import query_status
from tests.support.postgres import Cluster, shared_cluster

MakePlace = Callable[[], PostgresPlace]


@contextmanager
def copying(path: Path, place: PostgresPlace, rows_max: int = 500) -> Iterator[Copier]:
    copier = Copier(path, place, "alpha", rows_max=rows_max, busy_timeout_ms=2000)
    with closing(copier):
        yield copier


def level(path: Path, place: PostgresPlace, rows_max: int = 500) -> None:
    with copying(path, place, rows_max) as copier:
        while not copier.copy().is_level:
            pass


def stored(place: Place) -> dict[str, list[tuple[object, ...]]]:
    with closing(plain(place)) as found:
        return {
            table.name: [
                tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row)
                for row in found.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2").fetchall()
            ]
            for table in TABLES
        }


def is_prefix(place: PostgresPlace, path: Path) -> bool:
    """Every row of the mirror is a row of the journal, the events are its first ones, and it verifies by itself."""
    mirror, journal = stored(place), stored(path)
    whole = all(set(mirror[name]) <= set(journal[name]) for name in ("documents", "claims"))
    with Journal.open(place, create=False) as copy:
        copy.verify()
    return whole and mirror["events"] == journal["events"][: len(mirror["events"])]


def signal_row(path: Path, name: str, score: object = 0.5, symbol: object = "AAPL") -> None:
    with closing(plain(path)) as hand:
        hand.execute(
            "INSERT OR REPLACE INTO signals VALUES (?, ?, ?, 0.5, 'mine', '2026-11-20T14:30:00Z', NULL, '9', NULL)",
            (name, symbol, score),
        )


def copy_fails(copier: Copier) -> None:
    with pytest.raises(JournalLocked, match="another program holds the journal locked"):
        copier.copy()


@settings(max_examples=12)
@given(
    actions=st.lists(st.sampled_from(["write", "signal", "unsignal", "copy", "stop", "verify"]), max_size=30),
    rows_max=st.integers(1, 7),
)
def test_whatever_is_written_and_stopped_it_is_a_prefix_and_at_rest_the_whole(
    actions: list[str], rows_max: int, empty_file: bytes, empty_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("law") / "journal.sqlite"
    path.write_bytes(empty_file)
    name = f"rebalancer_law_{path.parent.name}".replace("-", "_")
    place = PostgresPlace(empty_database, name)
    with shared_cluster().connect("journals") as hand:
        hand.execute(shared_cluster().clone_of("journals", "rebalancer_empty", name))
    copier = Copier(path, place, "alpha", rows_max=rows_max)
    try:
        with Journal.open(path) as journal:
            todo = [step for number in range(9) for step in steps_of_a_cycle(journal, f"c{number}", when=300 * number)]
            for count, action in enumerate(actions):
                match action:
                    case "write":
                        todo.pop(0)()
                    case "signal":
                        signal_row(path, f"s{count % 3}", count / 100)
                    case "unsignal":
                        with closing(plain(path)) as hand_made:
                            hand_made.execute("DELETE FROM signals WHERE id = 's1'")
                    case "copy":
                        copier.copy()
                        assert is_prefix(place, path)
                    case "stop":
                        copier.close()
                        copier = Copier(path, place, "alpha", rows_max=rows_max)
                    case "verify":
                        assert copier.verify() == len(stored(place)["events"])
            while not copier.copy().is_level:
                pass
            copier.compare_signals()
        assert stored(place) == stored(path)
        assert copier.verify() == len(stored(path)["events"])
    finally:
        copier.close()
        with shared_cluster().connect("journals") as hand:
            hand.execute(f'DROP SCHEMA "{name}" CASCADE')


@pytest.mark.parametrize("moment", ["before the rows", "in mid batch", "before the commit", "after the commit"])
def test_killed_in_mid_batch_it_goes_on_where_it_was(
    moment: str, three_cycles: Path, new_place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_place()

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        with copying(three_cycles, place, rows_max=10) as copier:
            assert copier.copy().events == 10
            database = copier.secondary._store.database
            end_with = database.end_with
            match moment:
                case "before the rows":
                    monkeypatch.setattr(copier_module, "check_slice", die)
                case "in mid batch":
                    monkeypatch.setattr(database, "end_with", die)
                case "before the commit":
                    monkeypatch.setattr(database, "end_with", lambda *given: (end_with(*given), die()))
                case _:
                    monkeypatch.setattr(copier, "_copy_signals", die)
                    append = copier.secondary.append
                    monkeypatch.setattr(copier.secondary, "append", lambda *given: (append(*given), die()))
            copier.copy()

    assert in_a_child(work) == -signal.SIGKILL
    assert len(stored(place)["events"]) == (20 if moment == "after the commit" else 10)
    assert is_prefix(place, three_cycles)
    level(three_cycles, place, rows_max=10)
    assert stored(place) == stored(three_cycles)


def test_a_writer_that_waits_for_nothing_writes_while_the_mirror_reads_and_while_it_writes(
    three_cycles: Path, new_place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a lock timeout of zero: within every read of the file, and while the database keeps the copier waiting."""
    place, written = new_place(), list[str]()
    read_slice = copier_module.read_slice

    def write() -> None:
        with Journal.open(three_cycles, busy_timeout_ms=0) as journal:
            journal.record_event(WRITER, None, at(900), "note", str(len(written)), {})
        written.append("row")

    def reading(*given: object, **named: object) -> object:
        found = read_slice(*given, **named)  # type: ignore[arg-type]  # the same arguments
        write()  # the copier's transaction on the file is open
        return found

    monkeypatch.setattr(copier_module, "read_slice", reading)
    with copying(three_cycles, place, rows_max=20) as copier:
        copier.copy()
        copier.copy()
        with closing(plain(place)) as silent:
            silent.execute("BEGIN")
            silent.execute("SELECT 1 FROM heads FOR UPDATE")
            failed = threading.Thread(target=copy_fails, args=(copier,))
            failed.start()
            with shared_cluster().connect("journals") as look:
                while not look.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%heads%'"
                ).fetchone():
                    pass
            write()
            failed.join()
        assert len(written) == 4
    monkeypatch.undo()
    level(three_cycles, place)
    assert stored(place) == stored(three_cycles)


def test_another_history_is_never_written_to(three_cycles: Path, new_place: MakePlace, tmp_path: Path) -> None:
    place, other = new_place(), tmp_path / "other.sqlite"
    level(three_cycles, place)
    before = stored(place)
    with Journal.open(other) as journal:
        for number in range(5):
            run_cycle(journal, f"other{number}", when=300 * number)
    shorter = tmp_path / "shorter.sqlite"
    with Journal.open(shorter) as journal:
        run_cycle(journal, "c0")
    cases = {other: "another history", shorter: "the journal was set back", tmp_path / "none.sqlite": "ends with row 0"}
    for path, said in cases.items():
        with copying(path, place) as copier, pytest.raises(MirrorRefused, match=said):
            copier.copy()
    assert stored(place) == before
    own = new_place()
    with Journal.open(own) as journal:
        run_cycle(journal, "c0")
    with pytest.raises(MirrorRefused, match=r"is a journal of its own .it was never a mirror"):
        Copier(three_cycles, own, "alpha")


def test_two_processes_copy_no_row_twice(three_cycles: Path, new_place: MakePlace) -> None:
    place = new_place()
    with copying(three_cycles, place, 10) as one, copying(three_cycles, place, 10) as other:
        one.copy()
        other.copy()
        with pytest.raises(MirrorRefused, match="somebody else writes to it"):
            one.copy()
        while not one.copy().is_level:
            pass
    assert stored(place) == stored(three_cycles)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE events SET body = '{}' WHERE seq = 7", "the row 7 differs"),
        ("DELETE FROM events WHERE seq = 33", "its head is not its newest row|the row 33 differs"),
        (
            "UPDATE documents SET body = 'x' WHERE sha256 = (SELECT min(sha256) FROM documents)",
            "the document .* differs",
        ),
        ("UPDATE claims SET holder = 'x' WHERE cycle_id = 'c1'", "the claim .*c1.* differs"),
        ("INSERT INTO documents VALUES ('x', 'x', 'x')", "has 8 documents, and the journal 7"),
        ("DELETE FROM documents WHERE sha256 = (SELECT min(sha256) FROM documents)", "the document .* differs"),
    ],
)
def test_whatever_differs_is_found(change: str, says: str, three_cycles: Path, new_place: MakePlace) -> None:
    place = new_place()
    with copying(three_cycles, place) as copier:
        copier.copy()
        assert copier.verify() == 33
        assert (copier.mark.verified_seq, copier.mark.host) == (33, "alpha")
        with closing(unguarded(place)) as hand:
            hand.execute(change)
        with pytest.raises(JournalBroken, match=says):
            copier.verify()


def test_a_damaged_journal_is_not_copied(three_cycles: Path, new_place: MakePlace) -> None:
    place = new_place()
    with closing(raw(three_cycles)) as bad_disk:
        bad_disk.execute("UPDATE events SET key = 'x' WHERE seq = 20")
    with copying(three_cycles, place, 10) as copier:
        copier.copy()
        with pytest.raises(JournalBroken, match=r"row 20 .* was altered"):
            copier.copy()
    assert len(stored(place)["events"]) == 10


def test_nobody_trades_on_a_mirror_until_it_is_promoted(three_cycles: Path, new_place: MakePlace) -> None:
    place = new_place()
    level(three_cycles, place)
    with Journal.open(place, create=False) as host:
        assert len(host.cycles()) == 3
        with pytest.raises(MirrorRefused, match="is the mirror of another host's journal"):
            host.begin_cycle(start("c9"))
        found = query_status(place, now=at(0))
        assert found is not None
        assert found.mirror_of == "alpha"
        with closing(Secondary(place)) as mirror:
            with pytest.raises(LockHeld, match="the host alpha still copies its journal here"):
                mirror.promote(at(900), "beta", "alpha burnt down", heard_seconds=60)
            mark = mirror.promote(at(900), "beta", "alpha burnt down", heard_seconds=0)
        assert mark.host == "alpha"
        run_cycle(host, "c9", when=900)
        (event,) = host.events(kind=PROMOTED)
        assert dict(event.body) == {"reason": "alpha burnt down", "host": "beta", "before": "alpha", "rows": 33}
        host.verify()
    with Journal.open(three_cycles) as old:
        run_cycle(old, "late", when=1200)
    with pytest.raises(MirrorRefused, match="it was promoted with row 34"):
        Copier(three_cycles, place, "alpha")


def test_a_writer_that_waits_while_an_empty_journal_becomes_a_mirror_is_refused(new_place: MakePlace) -> None:
    place, said = new_place(), list[str]()

    def write() -> None:
        with Journal.open(place) as journal, pytest.raises(MirrorRefused) as refused:
            journal.begin_cycle(start("c1"))
        said.append(str(refused.value))

    with closing(Secondary(place)) as mirror:
        database = mirror._store.database
        with database.transaction("mirror") as connection:
            writer = threading.Thread(target=write)
            writer.start()
            with shared_cluster().connect("journals") as look:
                while not look.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%heads%'"
                ).fetchone():
                    pass
            connection.exec_driver_sql(
                "CREATE TABLE mirror AS SELECT 1 AS id, 'alpha' AS host, now() AS started_at, now() AS heard_at, "
                "now() AS level_at, 0 AS verified_seq, now() AS verified_at"
            )
        writer.join()
    assert len(said) == 1
    assert stored(place)["events"] == []


def test_signals_that_only_sqlite_can_hold_stop_nothing(path: Path, new_place: MakePlace) -> None:
    place = new_place()
    for name, score, symbol in (
        ("good", 0.5, "AAPL"), ("text", "high", "AAPL"), ("bytes", 0.5, b"\xff"), ("nul", 0.5, "A\x00"),
        ("int", 1, "B"),
    ):  # fmt: skip
        signal_row(path, name, score, symbol)
    with closing(sqlite3.connect(path)) as hand:
        hand.execute("UPDATE signals SET symbol = CAST(x'ff41' AS TEXT) WHERE id = 'bytes'")
        hand.commit()
    level(path, place)
    assert [row[:3] for row in stored(place)["signals"]] == [("good", "AAPL", 0.5), ("int", "B", 1.0)]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM signals",
        "DELETE FROM signals WHERE id = 's2'",
        "DELETE FROM signals WHERE id = 's0'; UPDATE signals SET rowid = rowid - 1",  # as compacting may number them
        "UPDATE signals SET rowid = -rowid",
    ],
)
def test_new_signals_are_seen_at_once_whatever_numbers_they_get(change: str, path: Path, new_place: MakePlace) -> None:
    place = new_place()
    for name in ("s0", "s1", "s2"):
        signal_row(path, name)
    with copying(path, place) as copier:
        while not copier.copy().is_level:
            pass
        with closing(sqlite3.connect(path)) as hand:
            hand.executescript(change)
        signal_row(path, "new")
        while not copier.copy().is_level:
            pass
    assert stored(place)["signals"] == stored(path)["signals"]


def test_a_database_that_goes_away_and_comes_back(three_cycles: Path, tmp_path: Path) -> None:
    """The server ends in the middle: the copier says so, the journal is written on, and a new copier catches up."""
    cluster = Cluster().create()
    try:
        place = PostgresPlace(cluster.database("mirrors"), "rebalancer_paper")
        with copying(three_cycles, place, 10) as copier:
            copier.copy()
            copier.secondary._store.database._answered = False  # type: ignore[attr-defined]  # do not wait ten seconds
            cluster.stop()
            with pytest.raises(JournalLocked, match=r"cannot be reached|is stopping"):
                copier.copy()
        with Journal.open(three_cycles, busy_timeout_ms=0) as journal:
            run_cycle(journal, "meanwhile", when=1500)
        with pytest.raises(JournalLocked, match="cannot be reached"):
            Copier(three_cycles, place, "alpha")
        cluster.start()
        level(three_cycles, place)
        assert stored(place) == stored(three_cycles)
    finally:
        cluster.remove()


def test_the_first_use_makes_the_schema(three_cycles: Path, empty_database: str) -> None:
    place = PostgresPlace(empty_database, "rebalancer_first_mirror")
    try:
        with copying(three_cycles, place) as copier:
            assert copier.copy()[1:3] == ((33, stored(three_cycles)["events"][-1][-1]), 33)
            with copier.secondary.reading() as ask:
                assert read_mark(ask) is not None
        with read_only(three_cycles) as ask:
            assert read_mark(ask) is None
    finally:
        with shared_cluster().connect("journals") as hand:
            hand.execute("DROP SCHEMA rebalancer_first_mirror CASCADE")


def test_large_documents_make_small_batches(path: Path, new_place: MakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copier_module, "BYTES_MAX", 20_000)
    noise = os.urandom(15_000).hex()
    with Journal.open(path) as journal:
        for number in range(3):
            journal.begin_cycle(start(f"c{number}"))
            journal.record_plan(WRITER, f"c{number}", at(1), f"{number} {noise}", "{}", "plan")
    place = new_place()
    with copying(path, place) as copier:
        assert [copier.copy().events for _ in range(4)] == [3, 2, 1, 0]
    assert stored(place) == stored(path)


def test_no_journal_yet_is_no_failure(tmp_path: Path, new_place: MakePlace) -> None:
    with copying(tmp_path / "none.sqlite", new_place()) as copier:
        assert copier.copy() == (EMPTY, EMPTY, 0, 0)
        assert copier.verify() == 0
