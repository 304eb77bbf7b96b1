"""The journal is lost and an older copy restored: nothing is sent until a person says so, then it trades on."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.accounting.acceptance import accept_books
from rebalancer.accounting.adoption import UnknownOrders
from rebalancer.accounting.daily_close import check_day
from rebalancer.core.decisions import Order
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import NOTHING
from rebalancer.journal.backups import newest_first, restore, take
from rebalancer.report.archive import replayed
from rebalancer.testing import laws
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.faults import Crash
from tests.support.rig import Rig, by_hand, held, rules

WEDNESDAY = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def back_up(rig: Rig) -> Path:
    """A copy while the program lives."""
    return take(rig.process().journal.place, rig.folder / "copies", WEDNESDAY).path


def lose_and_restore(rig: Rig, copy: Path) -> None:
    """The disk eats the journal and everything beside it; the copy takes its place."""
    rig.end()
    for path in rig.folder.glob("journal.sqlite*"):
        path.unlink()
    restore(copy, rig.journal_file, WEDNESDAY, "the disk died")


def resting(name: str) -> Order:
    """A purchase far below the market."""
    price = Decimal("1.00")
    return Order(
        name, "increase", "KO", "buy", Decimal(3), 3 * price, "limit", price, "day", "buy_to_open", price, Decimal(0),
        0.0, NOTHING,
    )  # fmt: skip


def resume(rig: Rig) -> bool:
    process = rig.process()
    return accept_books(process.journal, rig.account_id, process.world.broker.now(), "restored, nothing else trades it")


def test_the_drill(settled: MakeRig) -> None:
    rig = settled()
    copy = back_up(rig)
    assert newest_first(copy.parent) == [copy]
    lost = rig.run(NEXT, rules())
    assert lost.outcome is CycleOutcome.COMPLETED
    names = {o.client_order_id for o in lost.orders}
    assert len(names) == 5
    lose_and_restore(rig, copy)
    sent, before = len(rig.posts), held(rig)

    with pytest.raises(UnknownOrders) as refused:
        rig.run({"JPM": 1.0}, rules())
    assert set(refused.value.orders) == names
    assert "rebalancer resume --reason" in str(refused.value)
    assert (len(rig.posts), held(rig)) == (sent, before)

    assert resume(rig)
    assert not resume(rig), "there is nothing more to accept"
    done = rig.run({"JPM": 1.0}, rules())
    assert done.outcome is CycleOutcome.COMPLETED
    assert [o.symbol for o in done.orders] == ["JPM"]
    assert {p.symbol: p.qty for p in done.snapshot.positions} == before
    assert done.findings == ()
    assert len(rig.posts) == sent + 1

    journal = rig.process().journal
    adopted = journal.orders(names)
    assert set(adopted) == names
    assert {o.state for o in adopted.values()} == {OrderState.FILLED}
    assert {o.reason for o in adopted.values()} == {"adopted"}
    (cycle,) = [c for c in journal.cycles(rig.account_id) if c.cycle_id.startswith("adopted-")]
    assert (cycle.orders, cycle.outcome) == (5, CycleOutcome.COMPLETED)
    assert journal.orders_sent(rig.account_id, done.snapshot.as_of.replace(hour=0))[0] == 3 + 5 + 1
    assert [e.body["reason"] for e in journal.events(kind="journal_restored")] == ["the disk died"]
    planned = [c.cycle_id for c in journal.cycles(rig.account_id) if c.plan_sha256 is not None]
    assert [line for name in planned for line in replayed(journal, name).wrong] == []
    assert journal.verify() > 0

    again = rig.run({"JPM": 1.0, "HON": 1.0}, rules())
    assert [o.symbol for o in again.orders] == ["HON"], "what was traded in the lost rows is not traded again"
    laws.check_laws(rig.url, rig.journal_file)
    rig.exchange.clock.advance(6 * 3600)
    process = rig.process()
    day = done.snapshot.as_of.date()
    assert check_day(process.world.broker, process.journal, rig.account_id, day).sentences == ()


def test_an_order_that_turns_up_after_the_acceptance_stops_everything_again(settled: MakeRig) -> None:
    """Another machine that trades on is not accepted with the lost orders."""
    rig = settled()
    copy = back_up(rig)
    (lost,) = rig.run({"MSFT": 1.0, "AAPL": 1.0, "KO": 1.0, "V": 1.0}, rules()).orders
    lose_and_restore(rig, copy)
    with pytest.raises(UnknownOrders):
        rig.run({}, rules())
    assert resume(rig)
    by_hand(rig, "JNJ", "5", "rb-twin-1")
    sent = len(rig.posts)
    with pytest.raises(UnknownOrders) as refused:
        rig.run({"JPM": 1.0}, rules())
    assert refused.value.orders == ("rb-twin-1",)
    assert len(rig.posts) == sent
    assert rig.process().journal.order(lost.client_order_id) is not None
    assert resume(rig)
    assert rig.run({"JPM": 1.0}, rules()).outcome is CycleOutcome.COMPLETED


def test_a_lost_order_that_still_works_is_cancelled_when_it_is_adopted(settled: MakeRig) -> None:
    rig = settled()
    copy = back_up(rig)
    client = rig.client()
    client.submit(resting("rb-lost-1"))
    lose_and_restore(rig, copy)
    with pytest.raises(UnknownOrders):
        rig.run({}, rules())
    assert resume(rig)
    done = rig.run({"JPM": 1.0}, rules())
    assert (done.outcome, done.snapshot.open_orders) == (CycleOutcome.COMPLETED, ())
    found = client.find_order("rb-lost-1")
    client.close()
    assert found is not None
    assert found.state is OrderState.CANCELED
    record = rig.process().journal.order("rb-lost-1")
    assert record is not None
    assert (record.state, record.broker_id) == (OrderState.CANCELED, found.id)


@pytest.mark.parametrize("trip_at", range(1, 9))
def test_killed_while_it_adopts(settled: MakeRig, trip_at: int) -> None:
    """Each boundary of the adopting start: the next start, with one more word of a person at most, goes on."""
    rig = settled()
    copy = back_up(rig)
    rig.run(NEXT, rules())
    before = held(rig)
    lose_and_restore(rig, copy)
    with pytest.raises(UnknownOrders):
        rig.run({}, rules())
    assert resume(rig)
    with suppress(Crash):
        rig.run({}, rules(), trip_at=trip_at)
    sent = len(rig.posts)
    done = rig.run({"JPM": 1.0}, rules())
    assert done.outcome is CycleOutcome.COMPLETED
    assert {p.symbol: p.qty for p in done.snapshot.positions} == before
    assert len(rig.posts) == sent + 1
    rig.end()
    laws.check_laws(rig.url, rig.journal_file)
