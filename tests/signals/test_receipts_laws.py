"""Laws of receipts: every signal has one receipt and every receipt one outcome, however the store comes about."""

from __future__ import annotations

import os
import shutil
import signal as signals_of_the_system
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import OrderState, Outcome
from rebalancer.journal import Journal
from rebalancer.signals.receipts import queries
from rebalancer.signals.receipts.database import SignalDatabase
from rebalancer.signals.receipts.queries import ALL, ReceiptFilter
from tests.signals.receipts_kit import Filling, Place, signal

FORK = get_context("fork")
LIVE = [o for o in Outcome if o not in (Outcome.PLANNED, Outcome.WITHHELD)]
IMPORTANCE = [
    {Outcome.REJECTED_STALE, Outcome.REJECTED_SUPERSEDED},
    {Outcome.HELD_LEFT_OUT},
    set(Outcome),
    {Outcome.UNFILLED, Outcome.REFUSED_BY_BROKER},
    {Outcome.UNKNOWN_AT_BROKER},
    {Outcome.PARTLY_FILLED},
    {Outcome.FILLED},
]


def expected(verdicts: Sequence[Outcome]) -> str:
    """The last of the most important verdicts; written differently from the program."""

    def rank(outcome: Outcome) -> int:
        return next(r for r in (0, 1, 6, 5, 4, 3, 2) if outcome in IMPORTANCE[r])

    best = max((rank(v) for v in verdicts), default=None)
    return "PENDING" if best is None else [v for v in verdicts if rank(v) == best][-1]


NAMES = ["s-1", "s-2", "s-3"]
SYMBOLS = ["AAPL", "KO"]
pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(SYMBOLS))
verdicts_of_a_cycle = st.dictionaries(pairs, st.sampled_from(LIVE), max_size=5)
cycles = st.lists(
    st.tuples(verdicts_of_a_cycle, st.sampled_from(["paper", "paper", "dry_run"]), st.integers(1, 4)), max_size=6
)


@settings(max_examples=30, deadline=None)
@given(cycles, st.booleans())
def test_every_signal_has_one_receipt_with_one_outcome(history: list, ends_complete: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, seen = Place(Path(folder)), dict[tuple[str, str], list[Outcome]]()
        for outcomes, mode, transactions in history:
            given_now = {signal(name, symbol): outcome for (name, symbol), outcome in outcomes.items()}
            place.cycle(given_now, mode=mode)
            for key, outcome in outcomes.items():
                seen.setdefault(key, [])
                if mode != "dry_run":
                    seen[key].append(outcome)
            place.follow(stops_after=transactions)  # perhaps not to the end
        place.follow()
        assert place.outcomes() == {key: expected(found) for key, found in seen.items()} or not history
        once = place.dump()
        if ends_complete:  # derived again from nothing, it is the same
            for path in place.folder.glob("signals.sqlite*"):
                path.unlink()
            place.follow()
            assert place.dump() == once
        place.follow()
        assert place.dump() == once


def test_what_a_selection_leaves_out_was_not_decided_on(tmp_path: Path) -> None:
    """A run for one symbol leaves out all others; what an earlier or later cycle considered counts more."""
    place, (one, two) = Place(tmp_path), (signal("s-1"), signal("s-2", "KO"))
    place.cycle({one: Outcome.DENIED_ORDERS_PER_DAY, two: Outcome.HELD_LEFT_OUT})
    place.cycle({one: Outcome.HELD_LEFT_OUT, two: Outcome.HELD_WITHIN_BAND})
    place.cycle({one: Outcome.HELD_LEFT_OUT, two: Outcome.REJECTED_STALE})
    place.follow()
    assert place.outcomes() == {
        ("s-1", "AAPL"): "DENIED_ORDERS_PER_DAY", ("s-2", "KO"): "HELD_WITHIN_BAND",
    }  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(cycles, st.integers(1, 4), st.sampled_from([None, "AAPL"]))
def test_stats_count_what_the_list_shows(history: list, size: int, symbol: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for number, (outcomes, mode, _) in enumerate(history):
            found = {
                signal(name, sym, source=f"source{number % 2}"): outcome for (name, sym), outcome in outcomes.items()
            }
            place.cycle(found, mode=mode)
        place.receive({"symbol": "KO", "score": 2, "confidence": 1}, {"symbol": "KO", "score": 1, "confidence": 1})
        if place.journal.exists():
            place.follow()
        with place.open() as receipts:
            wanted = ReceiptFilter(symbol=symbol)
            listed, after = [], None
            while True:
                page = queries.page(receipts, wanted, size, after)
                assert page is not None
                listed += page.rows
                assert page.total == len(queries.page(receipts, wanted, 10_000).rows)  # type: ignore[union-attr]
                if page.next is None:
                    break
                after = page.next
            assert len({row.id for row in listed}) == len(listed)
            assert listed == list(queries.page(receipts, wanted, 10_000).rows)  # type: ignore[union-attr]
            figures = queries.figures(receipts, wanted)
            for one in figures:
                mine = [row for row in listed if row.source == one.source]
                counted = {o: sum(row.outcome == o for row in mine) for o in {row.outcome for row in mine}}
                assert (one.received, dict(one.outcomes)) == (len(mine), counted)
                assert one.executed == sum(row.outcome in ("FILLED", "PARTLY_FILLED") for row in mine)
                rejected = sum(row.outcome.startswith("REJECTED") for row in mine)
                assert one.received == one.admitted + rejected + one.pending
            every = queries.totals(figures)
            assert every.received == len(listed) == sum(every.outcomes.values())


# --- a process that dies


def world(place: Place) -> None:
    """Two cycles with orders, one of them still working at its end; an inbox; a cycle that never ended."""
    first = signal("s-1")
    place.cycle({first: Outcome.FILLED, signal("s-2", "KO"): Outcome.REJECTED_STALE}, [Filling("AAPL")])
    place.receive(
        {"id": "w-1", "symbol": "V", "score": 1, "confidence": 1}, {"symbol": "V", "action": "nonsense"}, minutes=6
    )
    place.cycle(
        {first: Outcome.HELD_AT_TARGET, signal("s-3", "V"): Outcome.UNKNOWN_AT_BROKER},
        [Filling("V", state=OrderState.UNKNOWN, reports=(("2", "250"),))],
    )
    place.plan([signal("s-4", "XOM")])


def die_at(boundary: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 at the Nth boundary: before a transaction, before its commit, after it."""
    left = [boundary]
    real = SignalDatabase._transaction

    def passed() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signals_of_the_system.SIGKILL)

    @contextmanager
    def dying(self: SignalDatabase, begin: str) -> Iterator[sqlite3.Connection]:
        passed()
        with real(self, begin) as connection:
            yield connection
            passed()
        passed()

    monkeypatch.setattr(SignalDatabase, "_transaction", dying)


def in_a_child(work: object) -> int | None:
    child = FORK.Process(target=work)  # type: ignore[arg-type]
    child.start()
    child.join(300)
    return child.exitcode


def test_killed_at_every_boundary_nothing_is_lost_or_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path / "whole")
    place.folder.mkdir()
    world(place)
    template = tmp_path / "template"
    shutil.copytree(place.folder, template)
    place.follow()
    whole = place.dump()
    assert len(whole["receipts"]) == 6
    for boundary in range(1, 1000):
        killed = Place(tmp_path / str(boundary))
        shutil.copytree(template, killed.folder)

        def work(killed: Place = killed, boundary: int = boundary) -> None:
            die_at(boundary, monkeypatch)
            killed.follow()

        code = in_a_child(work)
        killed.follow()
        assert killed.dump() == whole
        if code == 0:
            break
        assert code == -signals_of_the_system.SIGKILL
    assert boundary > 15


def test_a_receipt_that_was_given_is_there_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": f"w-{n}", "symbol": "AAPL", "score": 0.5, "confidence": 1} for n in range(3)]
    for boundary in range(1, 100):
        place = Place(tmp_path / str(boundary))
        place.folder.mkdir()
        answers, said = FORK.Pipe(duplex=False)

        def work(place: Place = place, boundary: int = boundary, said: object = said) -> None:
            die_at(boundary, monkeypatch)
            for row in rows:
                said.send(place.receive(row))  # type: ignore[attr-defined]

        code = in_a_child(work)
        said.close()
        promised = []
        while answers.poll():
            try:
                promised += answers.recv()
            except EOFError:
                break
        place.cycle({signal("s-1"): Outcome.FILLED})
        place.follow()
        kept = {row[0] for row in place.rows("id")}
        assert {receipt.id for receipt in promised} <= kept
        assert len(kept) - 1 - len(promised) in (0, 1)  # one more may have been stored and not acknowledged
        again = place.receive(*rows)  # who got no answer sends again
        assert [r.is_new for r in again] == [r.id not in kept for r in again]
        place.follow()
        assert len(place.rows("id")) == 4
        if code == 0:
            break
    assert boundary == 10


def test_two_followers_of_one_journal_do_not_disturb_each_other(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number in range(30):
        outcome = (Outcome.HELD_WITHIN_BAND, Outcome.DENIED_CAP)[number % 2]
        place.cycle({signal("s-1"): outcome, signal(f"t-{number}", "KO"): Outcome.FILLED}, [Filling("KO")])
    alone = Place(tmp_path / "alone")
    alone.folder.mkdir()
    shutil.copy(place.journal, alone.journal)
    shutil.copy(f"{place.journal}.head", f"{alone.journal}.head")
    alone.follow()

    def work() -> None:
        while not place.follow(stops_after=1):
            pass

    children = [FORK.Process(target=work) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert place.dump() == alone.dump()
    assert place.outcomes()["s-1", "AAPL"] == "DENIED_CAP"


def test_a_follower_that_was_overtaken_takes_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    place.cycle({signal("s-1"): Outcome.HELD_WITHIN_BAND})
    read = Journal.events_after

    def overtaken(self: Journal, *words: Any) -> Any:
        events = read(self, *words)
        monkeypatch.setattr(Journal, "events_after", read)
        place.cycle({signal("s-1"): Outcome.DENIED_CAP})
        place.follow()
        return events

    monkeypatch.setattr(Journal, "events_after", overtaken)
    place.follow(stops_after=1)
    assert place.outcomes() == {("s-1", "AAPL"): "DENIED_CAP"}


def test_nothing_is_shown_of_an_empty_store(tmp_path: Path) -> None:
    with Place(tmp_path).open() as receipts:
        assert queries.page(receipts, ALL, 10) == ((), 0, None)
        assert queries.figures(receipts) == ()
        assert queries.totals(()).execution_rate is None
        assert queries.find(receipts, "r-0") is None
    assert isinstance(signal("s-1"), Signal)
