"""A journal lost whole, with its witness, does not begin anew by itself on an account that it has traded."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from rebalancer.accounting.acceptance import accept_books
from rebalancer.accounting.adoption import UnknownOrders
from rebalancer.core.errors import JournalBroken
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.testing import laws
from tests.support.faults import Crash
from tests.support.rig import Rig, by_hand, held, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


def test_a_lost_journal_stops_until_a_person_says_that_it_begins_anew(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.run({"KO": 1.0}, rules())
        rig.end()
        for path in tmp_path.glob("journal*"):
            path.unlink()
        before = held(rig)
        with pytest.raises(JournalBroken, match="not in this journal") as refused:
            rig.run({"JPM": 1.0}, rules())
        assert "rebalancer resume --reason" in str(refused.value)
        assert held(rig) == before
        process = rig.process()
        assert accept_books(process.journal, "", process.world.broker.now(), "moved to another machine")
        done = rig.run({"JPM": 1.0}, rules())
        assert done.outcome is CycleOutcome.COMPLETED
        assert set(held(rig)) == {"KO", "JPM"}
        assert not accept_books(rig.process().journal, rig.account_id, done.snapshot.as_of, "again")


def begin_anew(rig: Rig, *, halted_before: bool) -> None:
    """Lose the journal, and say that a new one begins: after a run that it stopped, or before any."""
    rig.end()
    for path in rig.folder.glob("journal*"):
        path.unlink()
    if halted_before:
        with pytest.raises(UnknownOrders):
            rig.run({}, rules(), later_seconds=1)
    process = rig.process()
    assert accept_books(process.journal, "", process.world.broker.now(), "begins anew")


@pytest.mark.parametrize("halted_before", [True, False])
def test_orders_of_an_earlier_journal_count_for_the_day(tmp_path: Path, halted_before: bool) -> None:
    limits = rules(risk_management__max_orders_per_day=6, risk_management__reserved_order_fraction=0.0)
    opinions = ({"KO": 1.0, "JPM": 1.0}, {"MSFT": 1.0, "XOM": 1.0}, {"JNJ": 1.0, "CAT": 1.0}, {"V": 1.0, "HON": 1.0})
    with Rig(tmp_path) as rig:
        for number, signals in enumerate(opinions):
            if number:
                begin_anew(rig, halted_before=halted_before)
            done = rig.run(signals, limits, later_seconds=5)
            assert done.snapshot.day.orders_sent == 2 * number
            assert done.findings == ()
        assert len(rig.posts) == 6
        assert set(held(rig)) == {"KO", "JPM", "MSFT", "XOM", "JNJ", "CAT"}
        # The orders just accepted are younger than the look-back: they stop nothing any more.
        assert rig.run({"KO": 1.0, "JPM": 0.0}, rules(), later_seconds=1).outcome is CycleOutcome.COMPLETED
        assert rig.run({"KO": 1.0}, rules(), later_seconds=1).outcome is CycleOutcome.HOLDING
        rig.end()
        laws.check_laws(rig.url, rig.journal_file)


def test_only_the_orders_that_were_named_are_accepted(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        rig.run({"KO": 1.0}, rules())
        begin_anew(rig, halted_before=True)
        by_hand(rig, "JNJ", "5", "rb-twin-1")
        with pytest.raises(UnknownOrders) as refused:
            rig.run({"JPM": 1.0}, rules())
        assert refused.value.orders == ("rb-twin-1",)


@pytest.mark.parametrize("trip_at", range(1, 9))
def test_killed_while_a_new_journal_adopts(tmp_path: Path, trip_at: int) -> None:
    """The next start goes on without another word of a person, and every order is there once."""
    with Rig(tmp_path) as rig:
        rig.run({"KO": 1.0, "JPM": 1.0}, rules())
        begin_anew(rig, halted_before=trip_at % 2 == 0)
        with suppress(Crash):
            rig.run({"KO": 1.0, "JPM": 1.0}, rules(), trip_at=trip_at)
        done = rig.run({"KO": 1.0, "JPM": 1.0}, rules())
        assert (done.outcome, done.findings) == (CycleOutcome.HOLDING, ())
        assert done.snapshot.day.orders_sent == 2
        rig.end()
        laws.check_laws(rig.url, rig.journal_file)
