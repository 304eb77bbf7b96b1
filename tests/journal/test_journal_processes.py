"""Processes that die, race and lose files."""

from __future__ import annotations

import os
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from journal_kit import FORK, WRITER, at, in_a_child, run_cycle, start, steps_of_a_cycle

from rebalancer.core.errors import JournalBroken
from rebalancer.journal import Journal
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.store import Writing


def test_killed_after_any_number_of_rows(
    place: Place, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For N = 1, 2, ... kill -9 at the Nth row: what was acknowledged is there, the rest is not, the chain holds."""
    whole = 11
    for row in range(1, whole + 2):
        if isinstance(place, PostgresPlace):
            copy: Place = request.getfixturevalue("new_place")()
        else:
            copy = place.with_name(f"{row}.sqlite")
            shutil.copy(place, copy)
        receiver, sender = FORK.Pipe(duplex=False)

        def work(copy: Place = copy, row: int = row, sender: Connection = sender) -> None:
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


def test_killed_at_a_moment_of_its_own(place: Place) -> None:
    receiver, sender = FORK.Pipe(duplex=False)

    def work() -> None:
        with Journal.open(place) as journal:
            for number in range(100_000):
                journal.record_event(WRITER, None, at(number), "alert", str(number), {})
                sender.send(number)

    child = FORK.Process(target=work)
    child.start()
    seen = [receiver.recv() for _ in range(40)]
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join(300)
    while receiver.poll():
        seen.append(receiver.recv())
    with Journal.open(place) as journal:
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


def test_many_processes_one_winner_per_slot(place: Place) -> None:
    slots, racers = 15, 4
    receiver, sender = FORK.Pipe(duplex=False)
    barrier = FORK.Barrier(racers)

    def race(name: int) -> None:
        with Journal.open(place, holder=f"racer {name}") as journal:
            barrier.wait(300)
            for slot in range(slots):
                if journal.begin_cycle(start(f"c{slot}")):
                    sender.send((slot, name))

    children = [FORK.Process(target=race, args=(name,)) for name in range(racers)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    assert [child.exitcode for child in children] == [0] * racers
    wins = []
    while receiver.poll():
        wins.append(receiver.recv())
    assert sorted(slot for slot, _ in wins) == list(range(slots))
    with Journal.open(place) as journal:
        holders = {e.cycle_id: e.body["holder"] for e in journal.events(kind="cycle_started")}
        assert holders == {f"c{slot}": f"racer {name}" for slot, name in wins}
        assert journal.verify() == 2 * slots


def test_many_processes_make_one_new_journal(place: Place) -> None:
    if isinstance(place, PostgresPlace):
        path: Place = PostgresPlace(place.url, f"{place.schema}_new", place.state)
    else:
        path = place.with_name("new.sqlite")

    def work() -> None:
        with Journal.open(path) as journal:
            journal.record_event(WRITER, None, at(0), "alert", None, {})

    children = [FORK.Process(target=work) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    assert [child.exitcode for child in children] == [0] * 4
    with Journal.open(path, create=False) as journal:
        assert journal.verify() == 4
