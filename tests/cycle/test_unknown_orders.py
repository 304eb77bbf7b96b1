"""Orders whose post had no clear answer: found, never placed, late, or still unknown; and never sent twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rebalancer.cycle import CycleResult
from rebalancer.decisions import Order
from rebalancer.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.world.ports import JournalBroken, SendResult
from tests.cycle.conftest import NEXT, MakeRig
from tests.support import checker
from tests.support.faults import lost_after, lost_before, unreadable
from tests.support.rig import Rig, held, rules

WAIT_RULE_SECONDS = 2 * 30 + 60


def only(symbol: str, fault: Any) -> Any:
    """A fault for the orders of one symbol."""

    def submit(real: Any, order: Order) -> SendResult:
        result: SendResult = fault(real, order) if order.symbol == symbol else real(order)
        return result

    return submit


def end_of(result: CycleResult, symbol: str) -> Any:
    (order,) = (o for o in result.plan.orders if o.symbol == symbol)
    return result.ends[order.client_order_id]


def verdict(result: CycleResult, symbol: str) -> Outcome:
    (found,) = (v.outcome for v in (*result.verdicts, *result.unsignalled) if v.symbol == symbol)
    return found


def posts_of(rig: Rig, symbol: str) -> int:
    return sum(1 for order, _ in rig.posts if order.symbol == symbol)


@pytest.mark.parametrize("symbol", ["KO", "MSFT"])
def test_booked_and_the_answer_lost(settled: MakeRig, symbol: str) -> None:
    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only(symbol, lost_after)})
    assert result.because == "5 of 5 orders filled"
    assert end_of(result, symbol).state is OrderState.FILLED
    assert posts_of(rig, symbol) == 1
    seen = checker.check(rig.url, rig.journal_file)
    assert next(i for i in seen.intents if i.id == end_of(result, symbol).client_order_id).ever[1] == "UNKNOWN"
    assert rig.run(NEXT, rules()).outcome is CycleOutcome.HOLDING


def test_booked_and_found_by_id_alone(settled: MakeRig) -> None:
    """The list does not show it, the look-up by id does."""

    def without(real: Any, after: Any) -> Any:
        return tuple(o for o in real(after) if o.symbol != "MSFT")

    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only("MSFT", lost_after), "orders": without})
    assert end_of(result, "MSFT").state is OrderState.FILLED
    checker.check(rig.url, rig.journal_file)


@pytest.mark.parametrize("symbol", ["KO", "MSFT"])
def test_lost_on_its_way(settled: MakeRig, symbol: str) -> None:
    rig = settled()
    lost = rig.run(NEXT, rules(), faults={"submit": only(symbol, lost_before)}, later_seconds=10)
    assert end_of(lost, symbol).state is OrderState.UNKNOWN
    assert verdict(lost, symbol) is Outcome.UNKNOWN_AT_BROKER
    seen = checker.check(rig.url, rig.journal_file)
    assert [i.state for i in seen.intents if i.id == end_of(lost, symbol).client_order_id] == ["UNKNOWN"]

    frozen = rig.run(NEXT, rules(), later_seconds=WAIT_RULE_SECONDS - 30)
    assert verdict(frozen, symbol) is Outcome.FROZEN_UNKNOWN_ORDER
    assert [o for o in frozen.plan.orders if o.symbol == symbol] == []
    assert posts_of(rig, symbol) == 0, "it never reached the real broker, and nothing was sent again"

    free = rig.run(NEXT, rules())
    assert verdict(free, symbol) is Outcome.FILLED
    seen = checker.check(rig.url, rig.journal_file)
    assert [i.ever for i in seen.intents if i.id == end_of(lost, symbol).client_order_id] == [
        ("INTENDED", "UNKNOWN", "NOT_SENT")
    ]
    assert rig.run(NEXT, rules()).outcome is CycleOutcome.HOLDING


def test_an_unknown_increase_counts_against_the_caps(settled: MakeRig) -> None:
    """Its sector has room for 12 000 USD; while 10 000 of it are unknown, others may have 2 000 and not more."""
    tight = rules(risk_management__max_sector_exposure=0.06)
    rig = settled(sectors={})
    flat = dict.fromkeys(("AAPL", "KO", "V"), 0.0)
    first = rig.run({**flat, "MSFT": 1.0}, tight, faults={"submit": only("MSFT", lost_before)}, later_seconds=5)
    assert end_of(first, "MSFT").state is OrderState.UNKNOWN
    second = rig.run({**flat, "XOM": 1.0, "JNJ": 1.0}, tight)
    (unknown,) = (o for o in first.orders if o.symbol == "MSFT")
    spent = sum(o.qty * o.price for o in second.orders)
    room = second.plan.capital * Decimal("0.06") - unknown.qty * unknown.price
    assert 0 < spent <= room + 20 < 3000, "prices moved by a few dollars"
    checker.check(rig.url, rig.journal_file)


def test_it_arrives_after_the_look_up(settled: MakeRig) -> None:
    """Nobody knew it at the end of its cycle; then it lands. The next cycle adopts it and sends nothing for it."""
    rig = settled()
    kept: list[Order] = []

    def later(real: Any, order: Order) -> SendResult:
        kept.append(order)
        return SendResult("unknown", None, "timeout", "no answer within 20 s")

    first = rig.run(NEXT, rules(), faults={"submit": only("MSFT", later)}, later_seconds=20)
    assert end_of(first, "MSFT").state is OrderState.UNKNOWN
    client = rig.client()
    assert client.submit(kept[0]).kind == "accepted"
    client.close()
    second = rig.run(NEXT, rules())
    assert verdict(second, "MSFT") in (Outcome.HELD_WITHIN_BAND, Outcome.HELD_AT_TARGET)
    assert [(f.symbol, f.kind) for f in second.findings] == [("MSFT", "late_fill")]
    seen = checker.check(rig.url, rig.journal_file)
    assert next(i for i in seen.intents if i.id == kept[0].client_order_id).ever == ("INTENDED", "UNKNOWN", "FILLED")
    assert held(rig)["MSFT"] == kept[0].qty


@pytest.mark.parametrize("fills", [True, False])
def test_it_arrives_after_it_was_given_up(settled: MakeRig, fills: bool) -> None:
    rig = settled()
    kept: list[Order] = []

    def later(real: Any, order: Order) -> SendResult:
        kept.append(order)
        return SendResult("unknown", None, "timeout", "no answer within 20 s")

    rig.run(NEXT, rules(), faults={"submit": only("MSFT", later)})
    closed = rig.run({}, rules())  # the wait rule has passed: given up, and nothing is wanted
    assert closed.orders == ()
    client = rig.client()
    resting = None if fills else round(kept[0].price / 2, 2)
    late = kept[0]._replace(type="market" if fills else "limit", limit_price=resting)
    assert client.submit(late).kind == "accepted"
    client.close()
    adopted = rig.run({}, rules())
    journal = rig.process().journal
    record = journal.order(kept[0].client_order_id)
    assert record is not None
    assert record.state is (OrderState.FILLED if fills else OrderState.OPEN)
    assert [e.key for e in journal.events(kind="alert")] == ["MSFT"]
    assert [f.kind for f in adopted.findings] == (["late_fill"] if fills else [])
    rig.run({}, rules())
    record = rig.process().journal.order(kept[0].client_order_id)
    assert record is not None
    assert record.state is (OrderState.FILLED if fills else OrderState.CANCELED), "what still works is cancelled"
    checker.positions_agree(checker.books(rig.url, rig.journal_file))


def test_a_duplicate_id_means_that_it_is_there(settled: MakeRig) -> None:
    def twice(real: Any, order: Order) -> SendResult:
        real(order)
        result: SendResult = real(order)
        assert result.reason == "duplicate_id"
        return result

    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only("MSFT", twice)})
    assert end_of(result, "MSFT").state is OrderState.FILLED
    checker.check(rig.url, rig.journal_file)


def test_another_order_under_our_id_stops_everything(settled: MakeRig) -> None:
    """Two copies of the program compute the same id; the second must not take the first one's order for its own."""

    def other_copy(real: Any, order: Order) -> SendResult:
        real(order._replace(qty=order.qty + 1))
        result: SendResult = real(order)
        return result

    rig = settled()
    with pytest.raises(JournalBroken, match="another copy of this program"):
        rig.run(NEXT, rules(), faults={"submit": only("KO", other_copy)})
    sent = len(rig.posts)
    with pytest.raises(JournalBroken, match="another copy of this program"):
        rig.run(NEXT, rules())
    assert len(rig.posts) == sent


def test_as_long_as_nobody_answers_it_stays_unknown(settled: MakeRig) -> None:
    blind = {"submit": only("MSFT", lost_after), "orders": unreadable, "find_order": unreadable}

    def after_posting(real: Any, after: Any) -> Any:
        return unreadable() if rig.posts else real(after)

    rig = settled()
    result = rig.run({"MSFT": 1.0}, rules(), faults={**blind, "orders": after_posting})
    assert [e.state for e in result.ends.values()] == [OrderState.UNKNOWN]
    checker.check(rig.url, rig.journal_file, books_match=False)
    found = rig.run({"MSFT": 1.0}, rules())
    assert found.outcome is CycleOutcome.HOLDING
    assert [f.kind for f in found.findings] == ["late_fill"]
    checker.check(rig.url, rig.journal_file)


def test_an_older_reading_is_no_news(settled: MakeRig) -> None:
    """A list that falls behind the one before it takes nothing back."""
    seen: list[str] = []

    def lagging(real: Any, after: Any) -> Any:
        now = real(after)
        if seen == ["partly filled"]:
            seen.append("lied")
            return tuple(o._replace(filled_qty=Decimal(0), status="new", state=OrderState.OPEN) for o in now)
        if not seen and any(o.filled_qty > 0 and not o.state.is_final for o in now):
            seen.append("partly filled")
        return now

    rig = settled(fill_latency_seconds=0.3, partial_fill_probability=1.0)
    result = rig.run(NEXT, rules(), faults={"orders": lagging})
    assert seen == ["partly filled", "lied"]
    assert result.because == "5 of 5 orders filled"
    checker.check(rig.url, rig.journal_file)


def test_an_acknowledged_order_that_the_broker_forgets_stays_frozen(settled: MakeRig) -> None:
    """A broker that once had the order and then denies it is not believed, however long it is asked."""
    rig = settled(fill_latency_seconds=50.0)
    quick = rules(execution__phase_timeout_seconds=1, execution__cancel_timeout_seconds=1)
    first = rig.run({"MSFT": 1.0}, quick)
    assert end_of(first, "MSFT").state is OrderState.OPEN
    forgets = {"find_order": lambda real, name: None, "orders": lambda real, after: ()}
    for _ in range(2):
        denied = rig.run({"MSFT": 1.0}, quick, faults=forgets)
        assert verdict(denied, "MSFT") is Outcome.FROZEN_UNKNOWN_ORDER
    rig.run({"MSFT": 1.0}, quick)
    checker.intents_have_ended(checker.books(rig.url, rig.journal_file))
