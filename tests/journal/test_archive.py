"""An archive is a journal of its own; what it holds can leave the live one, whose chain still verifies; sizes are what
the rows take. All of it on both kinds of database."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from journal_kit import WRITER, at, end, plain, run_cycle, start, unguarded, verdict

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal
from rebalancer.journal.archive import is_archive, remove_archived, unpack, unpacked, write_archive
from rebalancer.journal.archived import KIND, Archived
from rebalancer.journal.backups import check
from rebalancer.journal.copying import copy_rows
from rebalancer.journal.mirror.copier import Copier
from rebalancer.journal.opening import open_store
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.size import size_of

DAY = 86_400
BEFORE = date(2026, 11, 23)  # the journal of `journal_kit` begins on the 20th


@pytest.fixture
def long(place: Place) -> Iterator[Journal]:
    """Six days with a cycle each; the rules are those of all of them."""
    with Journal.open(place) as journal:
        for day in range(6):
            run_cycle(journal, f"c{day}", when=DAY * day)
        yield journal


def documents_in(place: Place) -> int:
    with closing(plain(place)) as look:
        return int(look.execute("SELECT count(*) FROM documents").fetchone()[0])


def test_an_archive_is_a_journal_up_to_a_day(long: Journal, tmp_path: Path) -> None:
    before = long.verify()
    done = write_archive(long, BEFORE, tmp_path / "a.sqlite.gz")
    assert (done.row, done.hash, done.rows) == (33, long.row_hash(33), 33 + 7 + 3)
    assert (is_archive(done.path), done.path.stat().st_mode & 0o777) == (True, 0o600)
    with unpacked(done.path) as path, Journal.open(path, create=False) as copy:
        assert [cycle.cycle_id for cycle in copy.cycles()] == ["c2", "c1", "c0"]
        assert copy.snapshot_text("c1") == "snapshot c1"
        assert [copy.row_hash(row) for row in (1, 20, 33, 34)] == [long.row_hash(r) for r in (1, 20, 33)] + [""]
    assert long.verify() == before
    again = write_archive(long, BEFORE, tmp_path / "b.sqlite.gz")
    assert again[1:4] == done[1:4]
    with pytest.raises(JournalBroken, match="already exists"):
        write_archive(long, BEFORE, done.path)
    with pytest.raises(JournalBroken, match="no cycle was begun before 2026-11-20"):
        write_archive(long, date(2026, 11, 20), tmp_path / "c.sqlite.gz")
    left = {path.name for path in tmp_path.iterdir() if ".gz" in path.name or ".archive" in path.name}
    assert left == {"a.sqlite.gz", "b.sqlite.gz"}


def test_what_an_archive_holds_leaves_the_journal_and_its_chain_still_verifies(
    long: Journal, place: Place, tmp_path: Path
) -> None:
    rows = long.verify()
    done = write_archive(long, BEFORE, tmp_path / "a.sqlite.gz")
    gone = remove_archived(long, done, at(6 * DAY), WRITER)
    assert gone.documents == 4  # of two cycles: the history begins with the first; the rules are used by all
    assert long.verify() == rows - 4 + 1
    texts = [long.snapshot_text(f"c{day}") for day in range(6)]
    assert texts == ["snapshot c0", None, None, "snapshot c3", "snapshot c4", "snapshot c5"]
    assert [cycle.orders for cycle in long.cycles()] == [2] * 6
    (event,) = long.events(kind=KIND)
    assert (event.key, event.body["file"], event.body["row"]) == ("33", "a.sqlite.gz", 33)
    with closing(plain(place)) as hand, pytest.raises(Exception, match="documents is append-only"):
        hand.execute("DELETE FROM documents")
    # a later plan that is the same as an archived one stores it again
    long.begin_cycle(start("again", when=7 * DAY))
    long.record_plan(WRITER, "again", at(7 * DAY), "snapshot c1", "{}", "plan c1")
    long.close_cycle(end("again", when=7 * DAY + 9), [verdict("s")])
    assert (long.snapshot_text("c1"), long.snapshot_text("c2")) == ("snapshot c1", None)
    whole = long.verify()
    # the next archive begins with the same first row, and may lack what the first one has
    with pytest.raises(JournalBroken, match=r"rows up to 33 are in an archive that was made with row 67"):
        write_archive(long, date(2026, 11, 24), tmp_path / "b.sqlite.gz")
    run_cycle(long, "newer", when=9 * DAY)
    second = write_archive(long, date(2026, 11, 29), tmp_path / "b.sqlite.gz")
    assert remove_archived(long, second, at(10 * DAY), WRITER).documents == 8
    assert long.verify() == whole + 11 + 1 + 2 - 8 + 1
    assert [long.snapshot_text(name) for name in ("c0", "c5", "again", "newer")] == [
        "snapshot c0",
        None,
        None,
        "snapshot newer",
    ]
    for archive in (done, second):
        assert check_archive(archive.path) == archive.rows
    # copies of a journal without them are sound too
    copy = long.backup(tmp_path / "copy.sqlite")
    assert copy == long.verify()


def check_archive(path: Path) -> int:
    with unpacked(path) as found:
        return check(found, live=False).rows


def test_only_what_the_archive_event_names_may_be_missing(long: Journal, place: Place, tmp_path: Path) -> None:
    done = write_archive(long, BEFORE, tmp_path / "a.sqlite.gz")
    remove_archived(long, done, at(6 * DAY), WRITER)
    left = documents_in(place)
    with closing(unguarded(place)) as hand:
        plan = long.events("c4", kind="cycle_planned")[0].body["plan_sha256"]
        hand.execute("DELETE FROM documents WHERE sha256 = ?", (plan,))
    assert documents_in(place) == left - 1
    with pytest.raises(JournalBroken, match=r"names the document .* which is missing"):
        long.verify()


def test_an_event_that_names_more_than_it_may_is_refused(long: Journal) -> None:
    body = {"file": "x", "sha256": "x", "row": 66, "hash": "x", "documents": 9, "names_sha256": "x"}
    long.record_event(WRITER, None, at(6 * DAY), KIND, "66", body)
    with pytest.raises(JournalBroken, match="does not name the documents that it took away"):
        long.verify()


def test_the_first_and_the_newest_plan_of_an_account_stay(long: Journal, tmp_path: Path) -> None:
    done = write_archive(long, date(2026, 12, 31), tmp_path / "a.sqlite.gz")
    assert remove_archived(long, done, at(6 * DAY), WRITER).documents == 8
    assert (long.snapshot_text("c5"), long.snapshot_text("c4")) == ("snapshot c5", None)
    long.verify()


@pytest.mark.parametrize("harm", ["cut", "flipped", "other"])
def test_a_damaged_archive_is_found(harm: str, long: Journal, tmp_path: Path) -> None:
    done = write_archive(long, BEFORE, tmp_path / "a.sqlite.gz")
    content = bytearray(done.path.read_bytes())
    if harm == "cut":
        content = content[: len(content) // 2]
    elif harm == "flipped":
        content[len(content) // 2] ^= 1
    else:
        content = bytearray(gzip.compress(b"no journal"))
    done.path.write_bytes(bytes(content))
    with pytest.raises(JournalBroken):
        check_archive(done.path)


def test_nothing_is_removed_while_a_cycle_of_the_archive_is_open(long: Journal, place: Place, tmp_path: Path) -> None:
    """Recovery still needs what such a cycle was planned from."""
    long.begin_cycle(start("open", when=6 * DAY))
    done = write_archive(long, date(2026, 12, 31), tmp_path / "a.sqlite.gz")
    run_cycle(long, "c7", when=7 * DAY)
    later = write_archive(long, date(2026, 12, 31), tmp_path / "b.sqlite.gz")
    left = documents_in(place)
    with pytest.raises(JournalBroken, match="the cycle open has not ended"):
        remove_archived(long, later, at(8 * DAY), WRITER)
    assert documents_in(place) == left
    assert remove_archived(long, done, at(8 * DAY), WRITER).documents == 10


def test_a_file_that_cannot_be_compacted_has_lost_its_documents_all_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal.open(path, busy_timeout_ms=50) as journal, closing(plain(path)) as other:
        for day in range(6):
            run_cycle(journal, f"c{day}", when=DAY * day)
        done = write_archive(journal, BEFORE, tmp_path / "a.sqlite.gz")
        compact = journal.store.database.compact  # type: ignore[attr-defined]  # it is a file
        monkeypatch.setattr(journal.store.database, "compact", lambda: (other.execute("BEGIN IMMEDIATE"), compact()))
        with pytest.raises(JournalBroken, match=r"locked .*\n  4 documents removed, .*; only the file is not smaller"):
            remove_archived(journal, done, at(6 * DAY), WRITER)
        other.execute("ROLLBACK")
        assert (journal.snapshot_text("c1"), len(journal.events(kind=KIND))) == (None, 1)
        journal.verify()


def test_an_archive_of_another_journal_removes_nothing(long: Journal, place: Place, tmp_path: Path) -> None:
    with Journal.open(tmp_path / "other.sqlite") as other:
        run_cycle(other, "x")
        foreign = write_archive(other, BEFORE, tmp_path / "x.sqlite.gz")
    left = documents_in(place)
    with pytest.raises(JournalBroken, match="is not an archive of this journal"):
        remove_archived(long, foreign, at(0), WRITER)
    assert (documents_in(place), long.events(kind=KIND)) == (left, ())


def test_a_mirror_keeps_what_the_journal_gave_away_and_a_new_one_does_without(
    path: Path, new_place: Callable[[], PostgresPlace], tmp_path: Path
) -> None:
    old, new = new_place(), new_place()
    with Journal.open(path) as journal:
        for day in range(6):
            run_cycle(journal, f"c{day}", when=DAY * day)
        first = Copier(path, old, "alpha")
        while not first.copy().is_level:
            pass
        remove_archived(journal, write_archive(journal, BEFORE, tmp_path / "a.sqlite.gz"), at(6 * DAY), WRITER)
        second = Copier(path, new, "alpha", rows_max=20)
        for copier in (first, second):
            with closing(copier):
                while not copier.copy().is_level:
                    pass
                assert copier.verify() == 67
        assert (documents_in(old), documents_in(new)) == (13, 9)
    for place in (old, new):
        with Journal.open(place, create=False) as copy:
            copy.verify()


def test_both_databases_say_the_same_of_one_journal(path: Path, new_place: Callable[[], PostgresPlace]) -> None:
    place = new_place()
    with Journal.open(path) as journal:
        for day in range(6):
            run_cycle(journal, f"c{day}", when=DAY * day)
        target = open_store(place)
        with closing(target.database):
            copy_rows(journal.store, target)
    found = []
    for one in (path, place):
        with Journal.open(one) as journal, journal.store.asking() as ask:
            assert Archived.of(ask) == (0, 0, "")
            found.append(size_of(ask, 1_000_000))
            assert journal.size() > sum(kind.bytes for kind in found[-1].kinds)
    assert found[0] == found[1]
    size = found[0]
    by_name = {(one.table, one.kind): one.rows for one in size.kinds}
    assert {name: by_name[name] for name in (("documents", "snapshot"), ("documents", "rules"), ("claims", ""))} == {
        ("documents", "snapshot"): 6, ("documents", "rules"): 1, ("claims", ""): 6,
    }  # fmt: skip
    assert (size.rows_a_day, size.days_a_week, size.first_day, size.last_day) == (
        11.0, 7.0, date(2026, 11, 20), date(2026, 11, 25),
    )  # fmt: skip
    assert size.bytes_a_day == pytest.approx(1_000_000 / 6)
    assert size.after(7) == pytest.approx(1_000_000 + 7 * (size.bytes_a_day or 0), abs=1)
    double = pytest.approx(1_000_000 / (size.bytes_a_day or 1))
    assert [size.days_until(limit) for limit in (5, 1_000_000, 2_000_000)] == [0.0, 0.0, double]
    assert sum(one.bytes for one in size.kinds) + size.other_bytes == 1_000_000
    assert json.dumps(size.kinds)


def test_the_size_of_an_open_journal_is_that_of_its_file_once_the_write_ahead_log_is_merged(path: Path) -> None:
    with Journal.open(path) as journal:
        empty = journal.size()
        for day in range(6):
            run_cycle(journal, f"c{day}", when=DAY * day)
        size = journal.size()
    assert size == path.stat().st_size > empty


def test_an_empty_journal_has_no_rate(path: Path) -> None:
    with Journal.open(path) as journal, journal.store.asking() as ask:
        size = size_of(ask, 4096)
    assert (size.kinds, size.after(365), size.days_until(5000), size.other_bytes) == ((), None, None, 4096)


def test_unpacking_overwrites_nothing(long: Journal, tmp_path: Path) -> None:
    done = write_archive(long, BEFORE, tmp_path / "a.sqlite.gz")
    (tmp_path / "there").write_text("mine")
    with pytest.raises(JournalBroken, match="cannot be unpacked: File exists"):
        unpack(done.path, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
