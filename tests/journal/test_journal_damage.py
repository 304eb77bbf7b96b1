"""Whatever happens to the stored bytes: the journal notices, and says which row."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_kit import WRITER, at, plain, raw, run_cycle, unguarded

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal
from rebalancer.journal.agreement import CHEAP_BYTES
from rebalancer.journal.backups import check
from rebalancer.journal.chain import ChainRow, row_hash
from rebalancer.journal.head_checkpoint import checkpoint_of
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.status_query import query_status

CHAINED = ("events", "documents", "claims")


def verified(place: Place) -> int:
    with Journal.open(place) as journal:
        return journal.verify()


def remembered(path: Path) -> tuple[object, ...]:
    """Everything that the journal answers."""
    with Journal.open(path) as journal:
        cycles = tuple(record.cycle_id for record in journal.cycles())
        return (
            journal.latest_events(1000),
            journal.cycles(),
            tuple(journal.orders_of(cycle) for cycle in cycles),
            tuple((journal.snapshot_text(c), journal.rules_text(c), journal.plan_text(c)) for c in cycles),
            journal.last_end(WRITER),
            journal.orders_sent(WRITER, at(0)),
        )


@pytest.fixture
def cells(three_cycles: Path) -> Iterator[list[tuple[str, int, str]]]:
    """Every cell of every chained table: table, rowid, column."""
    connection = sqlite3.connect(three_cycles)
    yield [
        (table, rowid, column[1])
        for table in CHAINED
        for column in connection.execute(f"PRAGMA table_info({table})").fetchall()
        for (rowid,) in connection.execute(f"SELECT rowid FROM {table}").fetchall()
    ]
    connection.close()


def test_an_untouched_journal_verifies(three: Place) -> None:
    assert verified(three) == 3 * 11 + (3 * 2 + 1) + 3


def test_any_flipped_byte_of_any_row_is_noticed(
    three_cycles: Path, cells: list[tuple[str, int, str]], tmp_path: Path
) -> None:
    @settings(max_examples=150, deadline=None, database=None)
    @given(cell=st.sampled_from(cells), place=st.integers(0, 4000), mask=st.integers(1, 255))
    def law(cell: tuple[str, int, str], place: int, mask: int) -> None:
        table, rowid, column = cell
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            copy = Path(folder, "journal.sqlite")
            shutil.copy(three_cycles, copy)
            shutil.copy(f"{three_cycles}.head", f"{copy}.head")
            connection = raw(copy)
            query = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM {table} WHERE rowid = ?"
            kind, value = connection.execute(query, (rowid,)).fetchone()
            flipped = bytearray(value or b"x")
            flipped[place % len(flipped)] ^= mask if value else 0
            new: object = rowid + 1000 * mask if kind == "integer" else bytes(flipped)
            wrapped = {"integer": "?", "blob": "?"}.get(kind, "CAST(? AS TEXT)")
            try:
                connection.execute(f"UPDATE {table} SET {column} = {wrapped} WHERE rowid = ?", (new, rowid))
            except sqlite3.IntegrityError:
                return  # a unique index would not even take it
            finally:
                connection.close()
            with pytest.raises(JournalBroken):
                verified(copy)

    law()


def test_any_flipped_byte_of_the_file_changes_no_answer(three_cycles: Path, tmp_path: Path) -> None:
    """Pages, headers, indexes, free space: the journal refuses, or answers exactly as before."""
    whole, answers = three_cycles.read_bytes(), remembered(three_cycles)
    glimpse = query_status(three_cycles, now=at(0))

    @settings(max_examples=60, deadline=None, database=None)
    @given(place=st.integers(0, len(whole) - 1), mask=st.integers(1, 255))
    def law(place: int, mask: int) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            copy = Path(folder, "journal.sqlite")
            copy.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            try:
                verified(copy)
                again = remembered(copy)
                seen = query_status(copy, now=at(0))
            except JournalBroken:
                return
            assert (again, seen) == (answers, glimpse)

    law()


@pytest.mark.parametrize("cheap", [CHEAP_BYTES, 0], ids=["checked as it is opened", "too large for that"])
def test_no_flipped_bit_of_an_index_hides_the_kill_switch(
    three_cycles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cheap: int
) -> None:
    """Wherever the words of the rows stand: in the table or in an index. `db check` finds each."""
    with Journal.open(three_cycles) as journal:
        journal.set_kill(WRITER, at(300), "stopped by hand")
        journal.record_event(WRITER, None, at(300), "latched", "max_daily_loss", {"because": "lost 3 %"})
    with closing(sqlite3.connect(three_cycles)) as base, base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    monkeypatch.setattr("rebalancer.journal.opening.CHEAP_BYTES", cheap)
    monkeypatch.setattr("rebalancer.journal.status_query.CHEAP_BYTES_OF_STATUS", cheap)
    whole, heads = three_cycles.read_bytes(), [*tmp_path.glob(f"{three_cycles.name}.head")]
    places = [m.start() + i for m in re.finditer(b"kill_set|latched", whole) for i in (0, 5)]
    places += [m.start() + 8 + i for m in re.finditer(b"kill_set|latched", whole) for i in (0, 4, 6)]
    assert len(places) > 30
    copy = tmp_path / "flipped.sqlite"
    for head in heads:
        (tmp_path / "flipped.sqlite.head").write_bytes(head.read_bytes())
    for place in places:
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        for path in tmp_path.glob("flipped.sqlite-*"):
            path.unlink()
        try:
            seen = query_status(copy, now=at(0))
        except JournalBroken:
            pass
        else:
            assert seen is not None
            assert (seen.kill_switch, [e.key for e in seen.latched]) == ("stopped by hand", ["max_daily_loss"])
        try:
            with Journal.open(copy) as journal:
                assert journal.kill_switch(WRITER) == "stopped by hand"
                assert [e.key for e in journal.recall(WRITER, "latched", since=at(0))] == ["max_daily_loss"]
                assert journal.last_end(WRITER) is not None
        except JournalBroken:
            pass
        with pytest.raises(JournalBroken):
            check(copy, live=False)


@pytest.mark.parametrize("length", [0, 10, 4096, 5000, 20000])
def test_a_cut_file_is_refused(three_cycles: Path, length: int) -> None:
    with three_cycles.open("r+b") as file:
        file.truncate(length)
    with pytest.raises(JournalBroken):
        verified(three_cycles)


def test_garbage_is_not_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database at all" * 300)
    with pytest.raises(JournalBroken, match="this is not a journal, or it is damaged"):
        Journal.open(path)


def test_a_missing_row_is_named(three: Place) -> None:
    connection = unguarded(three)
    connection.execute("DELETE FROM events WHERE seq = 7")
    connection.close()
    with pytest.raises(JournalBroken, match="journal row 7 is missing: row 6 is followed by 8"):
        verified(three)


def test_an_altered_row_is_named_and_never_answers(three: Place) -> None:
    connection = unguarded(three)
    connection.execute("UPDATE events SET body = replace(body, 'BRK.B', 'BRK.A') WHERE seq = 33")
    connection.close()
    with pytest.raises(JournalBroken) as opened:
        Journal.open(three)
    assert str(opened.value).startswith(f"{three}: journal row 33 ('cycle_ended') was altered: ")
    with pytest.raises(JournalBroken) as asked:
        query_status(three, now=at(0))
    assert str(asked.value) == str(opened.value)


def test_a_rewritten_row_with_a_hash_of_its_own_cuts_the_chain(three: Place) -> None:
    connection = unguarded(three)
    row = ChainRow._make(connection.execute("SELECT * FROM events WHERE seq = 9").fetchone())
    forged = row._replace(body=row.body.replace("partly", "wholly"))
    forged_hash = row_hash(forged)
    connection.execute("UPDATE events SET body = ?, hash = ? WHERE seq = 9", (forged.body, forged_hash))
    connection.close()
    assert forged_hash != row.hash
    with pytest.raises(JournalBroken, match="journal row 10 does not follow row 9: the chain is broken between them"):
        verified(three)


def test_the_witness_never_goes_back(three: Place) -> None:
    head = checkpoint_of(three)
    now = head.read()
    assert now is not None
    head.advance(3, "0" * 64)
    assert head.read() == now
    head.advance(now[0] + 1, "f" * 64)
    assert head.read() == (34, "f" * 64)


def test_missing_and_foreign_documents_and_claims(three: Place) -> None:
    connection = plain(three)
    connection.execute("INSERT INTO claims VALUES ('alpha', 'c9', 'x', 'paper', 'me')")
    connection.close()
    with pytest.raises(JournalBroken, match="the claim of cycle c9 by alpha fits no event"):
        verified(three)
    connection = unguarded(three)
    connection.execute("DELETE FROM claims")
    with pytest.raises(JournalBroken, match="row 1 starts the cycle c0, whose claim is missing"):
        verified(three)
    connection.execute("DELETE FROM documents")
    with pytest.raises(JournalBroken, match=r"row 2 names the document [0-9a-f]{64}, which is missing"):
        verified(three)
    with Journal.open(three) as journal, pytest.raises(JournalBroken, match=r"the document .* is missing"):
        journal.plan_text("c0")
    connection.close()


def test_a_missing_tail_is_noticed_by_everyone(three: Place) -> None:
    connection = unguarded(three)
    connection.execute("DELETE FROM events WHERE seq > 31")
    connection.close()
    words = "33 rows were written, but only 31 are there"
    with pytest.raises(JournalBroken, match=words):
        Journal.open(three)
    with pytest.raises(JournalBroken, match=words):
        query_status(three, now=at(0))


def test_an_old_copy_in_place_of_the_journal(three_cycles: Path) -> None:
    old = three_cycles.read_bytes()
    with Journal.open(three_cycles) as journal:
        run_cycle(journal, "c3")
    three_cycles.write_bytes(old)
    with pytest.raises(JournalBroken, match="44 rows were written, but only 33 are there"):
        Journal.open(three_cycles)
    Path(f"{three_cycles}.head").unlink()  # on purpose, as the message says
    assert verified(three_cycles) == 43


def test_another_history_of_the_same_length(three_cycles: Path, tmp_path: Path, empty_file: bytes) -> None:
    other = tmp_path / "other.sqlite"
    other.write_bytes(empty_file)
    with Journal.open(other) as journal:
        for number in range(4):
            run_cycle(journal, f"d{number}")
    shutil.copy(other, three_cycles)
    with pytest.raises(JournalBroken, match="row 33 is not the one that was written: the history was replaced"):
        Journal.open(three_cycles)


def test_a_journal_that_vanished_is_not_begun_anew(three_cycles: Path) -> None:
    three_cycles.unlink()
    with pytest.raises(JournalBroken, match="33 rows were written, but only 0 are there"):
        Journal.open(three_cycles)


def test_a_damaged_witness_is_an_error(three: Place) -> None:
    checkpoint_of(three).path.write_text("33 rows or so")
    with pytest.raises(JournalBroken, match=r"journal\.\w+\.head: is damaged"):
        Journal.open(three)
    checkpoint_of(three).path.write_text("")  # what a crash at its very creation leaves
    assert verified(three) == 43


@pytest.mark.parametrize("table", CHAINED)
@pytest.mark.parametrize("verb", ["UPDATE {} SET {} = 1", "DELETE FROM {}", "REPLACE INTO {} SELECT * FROM {}"])
def test_rows_can_only_be_added(three: Place, table: str, verb: str) -> None:
    column = {"events": "body", "documents": "body", "claims": "mode"}[table]
    places = (table, table) if verb.startswith("REPLACE") else (table, column)
    if isinstance(three, PostgresPlace):
        verb = verb.replace("REPLACE INTO {} SELECT * FROM {}", "TRUNCATE {}, signals").replace("= 1", "= NULL")
    connection = plain(three)
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match=f"{table} is append-only"):
        connection.execute(verb.format(*places))
    connection.close()
    assert verified(three) == 43
