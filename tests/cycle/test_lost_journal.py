"""A journal lost whole, with its witness, does not begin anew by itself on an account that it has traded."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.outcomes import CycleOutcome
from rebalancer.world.books.acceptance import accept_books
from rebalancer.world.ports import JournalBroken
from tests.support.rig import Rig, held, rules

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
