"""Copies are whole, verified, and lead back; whatever is wrong with one is said before anything is touched."""

from __future__ import annotations

import os
import resource
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from journal_kit import at, in_a_child, raw, run_cycle

from rebalancer.core.errors import JournalBroken, LockHeld
from rebalancer.journal import Journal, backups
from rebalancer.journal.backups import RESTORED, check, newest_first, prune, restore, take
from rebalancer.journal.head_checkpoint import HeadCheckpoint, checkpoint_of
from rebalancer.journal.place import Place

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_copy_is_the_journal_with_its_witness(three: Place, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    done = take(three, folder, NOON)
    assert done.path.name == "journal-20261120T120000Z.sqlite"
    assert sorted(p.name for p in folder.iterdir()) == [done.path.name, f"{done.path.name}.head"]
    assert HeadCheckpoint(done.path).read() == checkpoint_of(three).read()
    assert (folder.stat().st_mode & 0o777, done.path.stat().st_mode & 0o777) == (0o700, 0o600)
    with Journal.open(three) as journal:
        assert done.rows == journal.verify()
    before = contents(folder)
    found = check(done.path, live=False)
    assert (found.rows, found.newest_kind, found.path) == (done.rows, "cycle_ended", done.path)
    assert contents(folder) == before, "a copy that is looked at stays as it is"


def test_a_copy_while_a_writer_writes(three: Place, tmp_path: Path) -> None:
    began, stop = threading.Event(), threading.Event()
    written: list[int] = []

    def write() -> None:
        with Journal.open(three) as journal:
            while not stop.is_set():
                run_cycle(journal, f"w{len(written)}", when=1000 + 300 * len(written))
                written.append(1)
                began.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert began.wait(300)
    try:
        copies = [take(three, tmp_path / "copies", NOON + timedelta(seconds=n)) for n in range(4)]
    finally:
        stop.set()
        writer.join()
    rows = [check(copy.path, live=False).rows for copy in copies]
    assert rows == [copy.rows for copy in copies] == sorted(rows)
    assert rows[0] < rows[-1], "it was written meanwhile"
    with Journal.open(three) as journal:
        assert journal.verify() >= rows[-1]
        assert len(journal.cycles(None, 10_000)) == 3 + len(written)


@pytest.mark.parametrize("kind", ["a file", "open to others", "read-only"])
def test_a_target_that_cannot_be_used(three: Place, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "copies"
    if kind == "a file":
        folder.write_text("not a folder")
    else:
        folder.mkdir(mode=0o700)
        folder.chmod(0o777 if kind == "open to others" else 0o500)
    if kind == "read-only" and os.geteuid() == 0:
        folder = Path("/proc/copies")
    before = contents(tmp_path)
    with pytest.raises(JournalBroken, match=str(folder)):
        take(three, folder, NOON)
    assert contents(tmp_path) == before


def test_a_copy_that_would_fill_the_disk_is_not_begun(
    three_cycles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, needed = tmp_path / "copies", three_cycles.stat().st_size
    monkeypatch.setattr(backups, "free_bytes", lambda _: needed - 1)
    with pytest.raises(
        JournalBroken, match=r"MB are needed for a copy[^\n]*\n  hint: free some space, or remove copies"
    ):
        take(three_cycles, folder, NOON)
    assert contents(folder) == {}
    monkeypatch.setattr(backups, "free_bytes", lambda _: needed)
    assert take(three_cycles, folder, NOON).rows == 43


def test_a_full_disk_leaves_nothing_and_keeps_the_older_copies(three_cycles: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    older = take(three_cycles, folder, NOON).path
    before = contents(folder)

    def full() -> None:
        with Journal.open(three_cycles) as journal:
            limit = three_cycles.stat().st_size // 2
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
            with pytest.raises(JournalBroken):
                take(three_cycles, folder, LATER, keep=1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            journal.record_event("alpha", None, at(2000), "note", None, {"text": "trading goes on"})

    assert in_a_child(full) == 0
    assert contents(folder) == before
    assert newest_first(folder) == [older]
    with Journal.open(three_cycles) as journal:
        assert [e.body["text"] for e in journal.events(kind="note")] == ["trading goes on"]


def test_only_the_newest_copies_stay_and_nothing_else_is_removed(three: Place, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir(mode=0o700)
    others = [
        folder / "journal-of-my-cat.sqlite",
        folder / "journal.sqlite",
        folder / "journal-20200101T000000Z.txt",
    ]
    for path in others:
        path.write_text("mine")
    copies = [take(three, folder, NOON + timedelta(days=n), keep=2) for n in range(4)]
    assert [copy.removed for copy in copies] == [(), (), (copies[0].path,), (copies[1].path,)]
    left = [copies[3].path, copies[2].path]
    assert newest_first(folder) == left
    assert sorted(folder.iterdir()) == sorted([*others, *left, *(p.with_name(p.name + ".head") for p in left)])
    assert prune(folder, 1) == (copies[2].path,)
    with pytest.raises(ValueError, match="at least one"):
        take(three, folder, LATER, keep=0)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path) -> None:
    """One letter of one row, where SQLite itself sees nothing."""
    content = path.read_bytes()
    assert b"trading went on" in content
    path.write_bytes(content.replace(b"trading went on", b"trading went up"))


def shorten(path: Path) -> None:
    """A whole copy, but older than its witness says."""
    connection = raw(path)
    connection.execute("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
    connection.close()


def newer(path: Path) -> None:
    connection = raw(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def remove(path: Path) -> None:
    path.unlink()


def text(path: Path) -> None:
    path.write_text("this is no database, but it is long enough to be read as one" * 100)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "damaged"),
        (empty, "is empty"),
        (flip, "altered"),
        (shorten, "tail is missing"),
        (newer, "a newer rebalancer wrote it"),
        (remove, "no such file"),
        (text, "not a journal"),
    ],
)
def test_a_copy_that_is_not_good_is_refused_and_nothing_changes(
    three: Place, tmp_path: Path, damage: object, said: str
) -> None:
    with Journal.open(three) as journal:
        journal.record_event("alpha", None, at(2000), "note", None, {"text": "trading went on"})
    copy = take(three, tmp_path / "copies", NOON).path
    damage(copy)  # type: ignore[operator]  # one of the functions above
    before = contents(tmp_path)
    for attempt in (lambda: check(copy, live=False), lambda: restore(copy, three, LATER, "a try")):
        with pytest.raises(JournalBroken, match=said) as refused:
            attempt()
        assert str(copy) in str(refused.value)
        assert ".restoring" not in str(refused.value)
        assert contents(tmp_path) == before


def test_a_restore_keeps_what_was_there_and_says_why(three_cycles: Path, tmp_path: Path) -> None:
    copy = take(three_cycles, tmp_path / "copies", NOON)
    with Journal.open(three_cycles) as journal:
        run_cycle(journal, "lost", when=5000)
        rows = journal.verify()
    lost_head = HeadCheckpoint(three_cycles).read()
    done = restore(copy.path, three_cycles, LATER, "the disk died")
    kept = three_cycles.with_name("journal.sqlite.before-restore-20261120T130000Z")
    assert set(done.aside) == {kept, HeadCheckpoint(kept).path}
    assert HeadCheckpoint(kept).read() == lost_head
    assert check(kept, live=False).rows == rows, "the earlier journal is whole"
    with Journal.open(three_cycles, create=False) as journal:
        assert journal.verify() == copy.rows + 1
        assert [c.cycle_id for c in journal.cycles(None)] == ["c2", "c1", "c0"]
        (event,) = journal.events(kind=RESTORED)
        assert (event.account_id, event.at) == ("alpha", LATER)
        assert event.body == {"reason": "the disk died", "from": copy.path.name, "rows": copy.rows, "aside": kept.name}
        run_cycle(journal, "next", when=6000)
    head = HeadCheckpoint(three_cycles).read()
    assert head is not None
    with Journal.open(three_cycles) as journal:
        assert head[0] == journal.latest_events(1)[0].seq
    assert check(copy.path, live=False).rows == copy.rows, "the copy stays as it was"


def test_an_old_copy_put_there_by_hand_is_refused_and_a_restore_mends_it(three_cycles: Path, tmp_path: Path) -> None:
    copy = take(three_cycles, tmp_path / "copies", NOON).path
    with Journal.open(three_cycles) as journal:
        run_cycle(journal, "lost", when=5000)
    three_cycles.write_bytes(copy.read_bytes())
    with pytest.raises(JournalBroken, match="old copy took its place"):
        Journal.open(three_cycles)
    restore(copy, three_cycles, LATER, "on purpose")
    assert check(three_cycles, live=True).newest_kind == RESTORED


def test_a_damaged_journal_is_replaced_and_kept(three_cycles: Path, tmp_path: Path) -> None:
    copy = take(three_cycles, tmp_path / "copies", NOON)
    cut(three_cycles)
    damaged = three_cycles.read_bytes()
    done = restore(copy.path, three_cycles, LATER, "torn")
    assert three_cycles.with_name("journal.sqlite.before-restore-20261120T130000Z") in done.aside
    assert done.aside[0].read_bytes() == damaged
    assert check(three_cycles, live=True).rows == copy.rows + 1


def test_a_journal_that_is_gone_comes_back(three_cycles: Path, tmp_path: Path) -> None:
    copy = take(three_cycles, tmp_path / "copies", NOON)
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    assert restore(copy.path, three_cycles, LATER, "gone").aside == ()
    assert check(three_cycles, live=True).rows == copy.rows + 1


def test_nothing_is_restored_under_a_program_that_has_the_journal_open(three_cycles: Path, tmp_path: Path) -> None:
    copy = take(three_cycles, tmp_path / "copies", NOON).path
    with Journal.open(three_cycles) as journal:
        run_cycle(journal, "more", when=5000)
        with pytest.raises(LockHeld, match="stop the session"):
            restore(copy, three_cycles, LATER, "too early")
        run_cycle(journal, "and more", when=6000)
        rows = journal.verify()
    assert check(three_cycles, live=True).rows == rows
    assert not list(tmp_path.glob("*before-restore*"))
    assert not list(tmp_path.glob(".*restoring*"))


def test_the_journal_itself_is_no_copy(three_cycles: Path) -> None:
    with pytest.raises(JournalBroken, match="is the journal itself"):
        restore(three_cycles, three_cycles, LATER, "a slip")


@pytest.mark.parametrize("step", range(1, 6))
def test_a_restore_cut_short_is_refused_or_whole(
    three_cycles: Path, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its N-th change of a name: what lies there is the old journal, the new one, or is not opened."""
    copy = take(three_cycles, tmp_path / "copies", NOON)
    with Journal.open(three_cycles) as journal:
        run_cycle(journal, "lost", when=5000)
        rows = journal.verify()

    def killed() -> None:
        count = [0]

        def counted(real: object) -> object:
            def one(*args: object) -> object:
                count[0] += 1
                if count[0] == step:
                    os._exit(9)
                return real(*args)  # type: ignore[operator]  # os.rename or os.replace

            return one

        monkeypatch.setattr(os, "rename", counted(os.rename))
        monkeypatch.setattr(os, "replace", counted(os.replace))
        restore(copy.path, three_cycles, LATER, "cut short")
        os._exit(0)

    code = in_a_child(killed)
    assert code == (9 if step <= 5 else 0)
    found = "refused: "
    try:
        with Journal.open(three_cycles) as journal:
            found = "whole" if journal.verify() in (rows, copy.rows + 1) else "something else"
    except JournalBroken as error:
        found += str(error)
    assert found == "whole" or "tail is missing" in found
    for path in tmp_path.glob("journal.sqlite"):
        if path.stat().st_size == 0:
            path.unlink()
    done = restore(copy.path, three_cycles, LATER + timedelta(seconds=1), "again")
    assert done.rows == copy.rows
    assert check(three_cycles, live=True).rows == copy.rows + 1
