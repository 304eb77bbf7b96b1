"""What a database can do that a file cannot: answers that are lost, servers that restart, copies between both kinds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import WRITER, at, plain, run_cycle, start, steps_of_a_cycle

from rebalancer.core.database_url import is_local, problem_of, shown, split_password, split_schema
from rebalancer.core.errors import JournalBroken, JournalLocked
from rebalancer.journal import Journal, copying, postgres, verify
from rebalancer.journal.backups import check, restore, take
from rebalancer.journal.copying import TABLES, copy_rows
from rebalancer.journal.head_checkpoint import checkpoint_of
from rebalancer.journal.opening import open_store
from rebalancer.journal.place import Place, PostgresPlace, place_of, schema_name
from rebalancer.journal.read_only import exists
from rebalancer.journal.set_back import KIND, accept_set_back
from rebalancer.journal.status_query import query_status
from tests.support.postgres import shared_cluster

MakePlace = Callable[[], PostgresPlace]


class Line:
    """A TCP line to the server. `cut` is called with what the client sends, and says whether to pass it on before the
    line is cut; None: it is not cut."""

    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.target = self.listener.getsockname()[1], port
        self.cut: Callable[[bytes], bool | None] = lambda _sent: None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._upwards, args=(client, server), daemon=True).start()
            threading.Thread(target=self._downwards, args=(client, server), daemon=True).start()

    def _upwards(self, client: socket.socket, server: socket.socket) -> None:
        with closing(client), closing(server):
            while True:
                try:
                    sent = client.recv(65536)
                    passes = self.cut(sent)
                    if passes is not None:
                        client.shutdown(socket.SHUT_RDWR)  # the answer finds nobody
                    if passes is not False:
                        server.sendall(sent)
                    if passes is not None:
                        server.shutdown(socket.SHUT_WR)
                        return
                except OSError:
                    return
                if not sent:
                    return

    def _downwards(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while got := server.recv(65536):
                client.sendall(got)
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


@contextmanager
def line_to(place: PostgresPlace) -> Iterator[tuple[Line, PostgresPlace]]:
    line = Line(urlsplit(place.url).port or 0)
    url = place.url.replace(f":{urlsplit(place.url).port}/", f":{line.port}/")
    with closing(line.listener):
        yield line, PostgresPlace(url, place.schema, place.state)


@pytest.mark.parametrize("arrives", [True, False], ids=["the commit arrived", "the commit was lost"])
def test_a_commit_without_an_answer_is_looked_for(new_place: MakePlace, arrives: bool) -> None:
    """At every step of a cycle: what the caller is told is what the journal holds."""
    for step in range(9):
        place = new_place()
        with line_to(place) as (line, behind), Journal.open(behind) as journal:
            steps = steps_of_a_cycle(journal, "c1")
            for write in steps[:step]:
                write()
            before = journal.verify()
            cuts = [arrives]
            line.cut = lambda sent, cuts=cuts: cuts.pop() if cuts and sent[5:11] == b"COMMIT" else None
            if arrives:
                steps[step]()
            else:
                with pytest.raises(JournalLocked, match=r"cannot be reached|connection was lost"):
                    steps[step]()
            assert cuts == []
            grown = journal.verify() > before
            assert grown is arrives
            for write in steps[step + arrives :]:
                write()
            assert journal.verify() == 15


def test_what_the_server_ends_between_two_transactions_is_begun_anew(new_place: MakePlace) -> None:
    place = new_place()
    with Journal.open(place) as journal, shared_cluster().connect("journals") as other:
        for step in steps_of_a_cycle(journal, "c1"):
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rebal%'")
            step()
        assert journal.verify() == 15


def test_a_writer_that_falls_silent_does_not_keep_the_lock(new_place: MakePlace) -> None:
    place = new_place()
    with Journal.open(place, busy_timeout_ms=50) as journal, closing(plain(place)) as silent:
        silent.execute("BEGIN")
        silent.execute("SELECT 1 FROM heads FOR UPDATE")
        with pytest.raises(JournalLocked, match="another program holds the journal locked"):
            journal.begin_cycle(start("c1"))
        assert journal.cycles() == ()  # reading goes on beside a writer
        silent.execute("ROLLBACK")
        assert journal.begin_cycle(start("c1")) is True


def test_rows_put_in_by_hand_are_noticed_by_the_next_writer(new_place: MakePlace) -> None:
    place = new_place()
    with Journal.open(place) as journal:
        run_cycle(journal, "c1")
        with closing(plain(place)) as hand:
            hand.execute("INSERT INTO events SELECT seq + 1, at, account_id, cycle_id, 'note', key, body, hash, hash "
                         "FROM events WHERE seq = 11")  # fmt: skip
        with pytest.raises(JournalBroken, match=r"row 12 .* was altered"):
            journal.begin_cycle(start("c2"))
    with closing(plain(place)) as hand:
        hand.execute("ALTER TABLE events DISABLE TRIGGER USER")
        hand.execute("DELETE FROM events WHERE seq > 10")
    checkpoint_of(place).forget()
    with pytest.raises(JournalBroken, match="the head names row 11, the newest event is 10"):
        Journal.open(place)


def test_an_older_state_of_the_database_is_refused_until_the_checkpoint_goes(new_place: MakePlace) -> None:
    """As after the promotion of a standby that was behind: this host remembers what it wrote."""
    place, older = new_place(), new_place()
    with Journal.open(place) as journal:
        run_cycle(journal, "c1")
        target = open_store(older)
        with closing(target.database):
            copy_rows(journal.store, target)
        run_cycle(journal, "c2", when=300)
    behind = PostgresPlace(older.url, older.schema, place.state)
    words = "22 rows were written, but only 11 are there"
    with pytest.raises(JournalBroken, match=words):
        Journal.open(behind)
    with pytest.raises(JournalBroken, match=words):
        query_status(behind, now=at(0))
    assert accept_set_back(place, at(900), "nothing is wrong here") is None
    said = accept_set_back(behind, at(900), "the standby was promoted")
    assert said is not None
    assert words in said
    with Journal.open(behind) as journal:
        assert journal.verify() == 16
        (event,) = journal.events(kind=KIND)
        assert (event.body["reason"], event.body["known_row"]) == ("the standby was promoted", 22)


def stored(place: Place) -> dict[str, list[tuple[object, ...]]]:
    with closing(plain(place)) as found:
        return {
            table.name: [
                tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row)
                for row in found.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2").fetchall()
            ]
            for table in TABLES
        }


@pytest.mark.parametrize("is_file", [False, True], ids=["database", "file"])
def test_who_waits_for_a_look_or_a_copy_hears_of_its_progress(
    new_place: MakePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    for module in (verify, copying):
        monkeypatch.setattr(module, "_BATCH", 10)
    heard = list[None]()
    with Journal.open(tmp_path / "journal.sqlite" if is_file else new_place()) as journal:
        journal.record_events("a1", None, at(0), [("alert", str(n), {"text": str(n)}) for n in range(1000)])
        journal.verify(lambda: heard.append(None))
        looked = len(heard)
        journal.backup(tmp_path / "copy.sqlite", lambda: heard.append(None))
    assert looked == 100
    assert len(heard) == looked + 100 * (1 if is_file else 3), "a database is copied and compared row by row before"


def test_copies_both_ways_are_equal_row_by_row(three_cycles: Path, new_place: MakePlace, tmp_path: Path) -> None:
    middle, back = new_place(), tmp_path / "back.sqlite"
    journeys = [(three_cycles, middle), (middle, back)]
    for source, target in journeys:
        one, other = open_store(source), open_store(target)
        with closing(one.database), closing(other.database):
            assert copy_rows(one, other) == 43
            with pytest.raises(JournalBroken, match="holds documents, claims, events already"):
                copy_rows(one, other)
    assert stored(three_cycles) == stored(middle) == stored(back)
    for place in (three_cycles, middle, back):
        with Journal.open(place, create=False) as journal:
            assert journal.verify() == 43
            run_cycle(journal, "next", when=900)


def test_a_copy_that_fails_leaves_the_target_empty(three_cycles: Path, new_place: MakePlace) -> None:
    place = new_place()
    with closing(plain(place)) as hand:
        hand.execute("ALTER TABLE signals ADD CONSTRAINT none CHECK (false)")
        hand.execute("ALTER TABLE events ADD CONSTRAINT few CHECK (seq < 30)")
    one, other = open_store(three_cycles), open_store(place)
    with closing(one.database), closing(other.database), pytest.raises(JournalBroken, match="few"):
        copy_rows(one, other)
    assert stored(place) == {table.name: [] for table in TABLES}


def test_a_backup_is_a_file_and_restores_into_the_database(new_place: MakePlace, tmp_path: Path) -> None:
    place = new_place()
    with Journal.open(place) as journal:
        run_cycle(journal, "c1")
    copy = take(place, tmp_path / "copies", at(100))
    assert check(copy.path, live=False).rows == copy.rows == 15
    with Journal.open(place) as journal:
        run_cycle(journal, "lost", when=300)
    done = restore(copy.path, place, at(200), "a try")
    (aside,) = done.aside
    kept = PostgresPlace(place.url, str(aside).removeprefix("schema "))
    assert check(kept, live=True).rows == 29
    with Journal.open(place, create=False) as journal:
        assert [c.cycle_id for c in journal.cycles(None)] == ["c1"]
        assert journal.verify() == 16
        run_cycle(journal, "next", when=600)
    with closing(plain(kept)) as found:
        found.execute(f'DROP SCHEMA "{kept.schema}" CASCADE')


def test_a_wrong_password_and_a_server_that_is_not_there_say_no_secret(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    place = PostgresPlace(f"postgresql://desk@127.0.0.1:{port}/desk", "rebalancer_x", tmp_path, "s3cret-word")
    with pytest.raises(JournalLocked, match="the database cannot be reached") as refused:
        Journal.open(place)
    assert "s3cret-word" not in f"{refused.value}{place!r}{place}"
    with pytest.raises(JournalBroken, match="there is no such database"):
        Journal.open(PostgresPlace(shared_cluster().url("nowhere"), "rebalancer_x", tmp_path))


def test_a_network_that_swallows_everything_is_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worth another attempt, and nothing that a person must look at."""
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 2)  # the driver's least
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = PostgresPlace(f"postgresql://desk@127.0.0.1:{silent.getsockname()[1]}/desk", "rebalancer_x", tmp_path)
        with pytest.raises(JournalLocked, match="the database cannot be reached"):
            Journal.open(place)


def test_reading_makes_nothing(new_place: MakePlace, tmp_path: Path) -> None:
    place = PostgresPlace(new_place().url, "rebalancer_never", tmp_path)
    assert (exists(place), query_status(place, now=at(0))) == (False, None)
    with pytest.raises(JournalBroken, match="there is no journal yet"):
        Journal.open(place, create=False)
    assert not checkpoint_of(place).path.exists()
    assert exists(place) is False


# addresses


NAMES = st.text("abcxyz09-_.", min_size=1, max_size=12)
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@given(user=NAMES, secret=SECRETS, host=NAMES, database=NAMES, where=st.sampled_from(["user", "query"]))
def test_a_password_leaves_its_address(user: str, secret: str, host: str, database: str, where: str) -> None:
    from urllib.parse import quote

    said = quote(secret, safe="")
    bare = f"postgresql://{user}@{host}/{database}"
    whole = f"postgresql://{user}:{said}@{host}/{database}" if where == "user" else f"{bare}?password={said}"
    assert split_password(whole) == (bare, secret)
    assert split_password(bare) == (bare, None)
    assert problem_of(whole) == "holds a password"
    assert problem_of(bare) is None
    assert shown(whole) == bare


def test_addresses() -> None:
    assert split_schema("postgresql://h/d?schema=a_b&sslmode=require") == ("postgresql://h/d?sslmode=require", "a_b")
    local = ["postgresql:///d", "postgresql:///d?host=/run/pg", "postgresql://localhost:1/d", "postgresql://a@[::1]/d"]
    remote = ["postgresql://h/d", "postgresql:///d?host=h", "postgresql://localhost,h/d", "postgresql://127.0.0.2/d"]
    assert [is_local(url) for url in (*local, *remote)] == [True] * 4 + [False] * 4
    place = place_of("postgresql://u:secret@h/d?schema=mine")
    assert isinstance(place, PostgresPlace)
    assert (place.url, place.schema, place.password) == ("postgresql://u@h/d", "mine", "secret")
    with pytest.raises(JournalBroken, match="lower-case letters"):
        place_of('postgresql://h/d?schema=a"b')


PROFILES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)


@given(st.lists(st.tuples(st.sampled_from(["paper", "live"]), PROFILES), unique=True))
def test_no_two_profiles_share_a_schema(profiles: list[tuple[str, str]]) -> None:
    names = [schema_name(mode, profile) for mode, profile in profiles]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 and name.isascii() and name == name.lower() for name in names)
    assert schema_name("paper", "") == "rebalancer_paper"


def test_events_keep_what_people_write(new_place: MakePlace) -> None:
    with Journal.open(new_place()) as journal:
        odd = {"text": "a\x00b \ud800 100% :name ♥ 'quoted'"}
        journal.record_event(WRITER, None, at(0), "note", "x", odd)
        (event,) = journal.events(kind="note")
        assert event.body["text"] == "a\x00b ? 100% :name ♥ 'quoted'"
        assert journal.verify() == 1
