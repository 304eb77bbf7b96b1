"""An older copy of the journal knows nothing of the pairs of exits placed since: they are found, never doubled."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.accounting.acceptance import accept_books
from rebalancer.accounting.adoption import UnknownOrders
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.execution.exit_orders.lost_pairs import SOUGHT
from rebalancer.journal.exit_order_records import pair_id
from rebalancer.testing import laws
from tests.rebalance.test_protection import cycle, guarded, pair, resting
from tests.rebalance.test_restore_drill import back_up, lose_and_restore
from tests.support.rig import Rig, by_hand, held

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as rig:
        yield rig


def accept(rig: Rig) -> None:
    with pytest.raises(UnknownOrders):
        cycle(rig, {"KO": 1.0}, guarded())
    process = rig.process()
    assert accept_books(process.journal, rig.account_id, process.world.broker.now(), "restored")


def living(rig: Rig) -> dict[str, tuple[str, int, str]]:
    found = rig.process().journal.newest_of_each("protection", rig.account_id)
    return {str(e.key): (e.body["id"], e.body["number"], e.body["state"]) for e in found}


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_pairs_placed_after_the_copy_are_exchanged_and_none_is_doubled(rig: Rig, lost: int) -> None:
    """One, two and three pairs behind."""
    cycle(rig, {"KO": 0.2}, guarded())
    copy = back_up(rig)
    for score in (0.4, 0.6, 0.8)[:lost]:
        cycle(rig, {"KO": score}, guarded())
    before, newest = held(rig), living(rig)["KO"]
    assert resting(rig) == pair("KO", before["KO"])
    lose_and_restore(rig, copy)
    assert living(rig)["KO"][1] < newest[1], "that is what the copy knows"
    accept(rig)

    done = cycle(rig, {"KO": (0.4, 0.6, 0.8)[lost - 1]}, guarded())
    assert done.outcome in (CycleOutcome.HOLDING, CycleOutcome.COMPLETED)
    assert done.findings == ()
    assert resting(rig) == pair("KO", held(rig)["KO"])
    name, number, state = living(rig)["KO"]
    assert (name, state) == (pair_id(rig.account_id, "KO", number), "open")
    assert number > newest[1], "an id of its own"
    sought = [e.body["found"] for e in rig.process().journal.events(kind=SOUGHT)]
    assert sought == [[newest[0]], []], "after the restore, and after the acceptance"

    cycle(rig, {"KO": 0.0}, guarded())
    assert (held(rig), resting(rig)) == ({}, []), "and it is taken down when the position is left"
    assert len(rig.process().journal.events(kind=SOUGHT)) == 2, "and then never again"
    rig.end()
    laws.check_laws(rig.url, rig.journal_file)


def test_a_lost_pair_that_traded_meanwhile_is_ours(rig: Rig) -> None:
    close = guarded(protection__take_profit=0.0005, protection__stop_loss=0.0005)
    cycle(rig, {"JPM": 0.5}, guarded())
    copy = back_up(rig)
    cycle(rig, {"JPM": 0.5, "KO": 0.5}, close, later_seconds=0)
    for _ in range(60):
        rig.exchange.clock.advance(60)
        if "KO" not in held(rig):
            break
    assert "KO" not in held(rig)
    lose_and_restore(rig, copy)
    accept(rig)
    done = cycle(rig, {"JPM": 0.5}, guarded())
    assert "KO" not in held(rig)
    assert [f for f in done.findings if f.kind != "late_fill"] == []
    assert living(rig)["KO"][2] == "gone"
    exits = rig.process().journal.events(kind="protective_exit")
    assert {e.key for e in exits} >= {"KO"}
    assert all(Decimal(e.body["qty"]) > 0 for e in exits)


def test_somebody_elses_order_with_our_prefix_is_not_a_pair(rig: Rig) -> None:
    cycle(rig, {"KO": 0.2}, guarded())
    copy = back_up(rig)
    cycle(rig, {"KO": 0.4}, guarded())
    by_hand(rig, "JPM", "1", "rp-JPM-7-0123456789ab")
    lose_and_restore(rig, copy)
    accept(rig)
    cycle(rig, {"KO": 0.4}, guarded())
    name, number, state = living(rig)["JPM"]
    assert (name, state) == (pair_id(rig.account_id, "JPM", number), "open"), "that of the share bought by hand"
