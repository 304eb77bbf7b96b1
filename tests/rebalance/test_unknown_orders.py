"""Orders whose post had no clear answer: found, never placed, late, or still unknown; and never sent twice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.brokers.protocol import BrokerOrder, SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.errors import JournalBroken
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import NOTHING
from rebalancer.exchange.faults.rules import Rule
from rebalancer.journal.records import OrderRecord
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.rebalance.broker_orders import open_orders
from rebalancer.rebalance.cycle import CycleResult, may_cost
from rebalancer.testing import laws, record_laws
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.faults import lost_after, lost_before, unreadable
from tests.support.rig import Rig, held, rules

WAIT_RULE_SECONDS = 2 * 30 + 60


def only(symbol: str, fault: Any) -> Any:
    """A fault for the orders of one symbol."""

    def submit(real: Any, order: Order) -> SendResult:
        result: SendResult = fault(real, order) if order.symbol == symbol else real(order)
        return result

    return submit


def floating() -> tuple[list[Order], Any]:
    """Orders that did not arrive yet and may still, and the fault that keeps them."""
    kept: list[Order] = []

    def later(real: Any, order: Order) -> SendResult:
        del real
        kept.append(order)
        return SendResult("unknown", None, "timeout", "no answer within 20 s")

    return kept, later


def end_of(result: CycleResult, symbol: str) -> Any:
    (order,) = (o for o in result.plan.orders if o.symbol == symbol)
    return result.ends[order.client_order_id]


def verdict(result: CycleResult, symbol: str) -> Outcome:
    (found,) = (v.outcome for v in (*result.verdicts, *result.unsignalled) if v.symbol == symbol)
    return found


def broker_id(rig: Rig, end: OrderEnd) -> str:
    record = rig.process().journal.order(end.client_order_id)
    assert record is not None
    return record.broker_id or ""


def posts_of(rig: Rig, symbol: str) -> int:
    return sum(1 for order, _ in rig.posts if order.symbol == symbol)


@pytest.mark.parametrize("symbol", ["KO", "MSFT"])
def test_booked_and_the_answer_lost(settled: MakeRig, symbol: str) -> None:
    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only(symbol, lost_after)})
    assert result.because == "5 of 5 orders filled"
    assert end_of(result, symbol).state is OrderState.FILLED
    assert posts_of(rig, symbol) == 1
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert next(i for i in seen.intents.values() if i.id == end_of(result, symbol).client_order_id).ever[1] == "UNKNOWN"
    assert rig.run(NEXT, rules()).outcome is CycleOutcome.HOLDING


def test_booked_and_found_by_id_alone(settled: MakeRig) -> None:
    """The list does not show it, the look-up by id does."""

    def without(real: Any, after: Any) -> Any:
        return tuple(o for o in real(after) if o.symbol != "MSFT")

    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only("MSFT", lost_after), "orders": without})
    assert end_of(result, "MSFT").state is OrderState.FILLED
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("symbol", ["KO", "MSFT"])
def test_lost_on_its_way(settled: MakeRig, symbol: str) -> None:
    rig = settled()
    lost = rig.run(NEXT, rules(), faults={"submit": only(symbol, lost_before)}, later_seconds=10)
    assert end_of(lost, symbol).state is OrderState.UNKNOWN
    assert verdict(lost, symbol) is Outcome.UNKNOWN_AT_BROKER
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert [i.state for i in seen.intents.values() if i.id == end_of(lost, symbol).client_order_id] == ["UNKNOWN"]

    frozen = rig.run(NEXT, rules(), later_seconds=WAIT_RULE_SECONDS)
    assert verdict(frozen, symbol) is Outcome.FROZEN_UNKNOWN_ORDER
    assert [o for o in frozen.plan.orders if o.symbol == symbol] == []
    assert posts_of(rig, symbol) == 0, "it never reached the real broker, and nothing was sent again"

    free = rig.run(NEXT, rules())
    assert verdict(free, symbol) is Outcome.FILLED
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert [i.ever for i in seen.intents.values() if i.id == end_of(lost, symbol).client_order_id] == [
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
    laws.check_laws(rig.url, rig.journal_file)


def test_it_arrives_after_the_look_up(settled: MakeRig) -> None:
    """Nobody knew it at the end of its cycle; then it lands. The next cycle adopts it and sends nothing for it."""
    rig = settled()
    kept, later = floating()
    first = rig.run(NEXT, rules(), faults={"submit": only("MSFT", later)}, later_seconds=20)
    assert end_of(first, "MSFT").state is OrderState.UNKNOWN
    client = rig.client()
    assert client.submit(kept[0]).kind == "accepted"
    client.close()
    second = rig.run(NEXT, rules())
    assert verdict(second, "MSFT") in (Outcome.HELD_WITHIN_BAND, Outcome.HELD_AT_TARGET)
    assert [(f.symbol, f.kind) for f in second.findings] == [("MSFT", "late_fill")]
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert next(i for i in seen.intents.values() if i.id == kept[0].client_order_id).ever == (
        "INTENDED",
        "UNKNOWN",
        "FILLED",
    )
    assert held(rig)["MSFT"] == kept[0].qty


@pytest.mark.parametrize("fills", [True, False])
def test_it_arrives_after_it_was_given_up(settled: MakeRig, fills: bool) -> None:
    rig = settled()
    kept, later = floating()
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
    assert [*record_laws.positions_agree(laws.evidence_of(rig.url, rig.journal_file))] == []


@pytest.mark.parametrize("ahead", [25.0, 90.0])
def test_it_arrives_just_after_a_reading_with_a_wrong_clock(settled: MakeRig, ahead: float) -> None:
    """What a reading covers is known by the broker's clock alone: an answer of it that is ahead hides nothing."""
    rig = settled()
    kept, later = floating()
    rig.run(NEXT, rules(), faults={"submit": only("MSFT", later)})
    rig.exchange.exchange.faults.put((Rule("ahead", "clock_skew", "*", "/v2/*", parameters={"seconds": ahead}),))
    assert rig.run({}, rules(), later_seconds=1).orders == (), "given up, and nothing is wanted"
    rig.exchange.exchange.faults.clear()
    client = rig.client()
    assert client.submit(kept[0]).kind == "accepted"
    client.close()
    rig.exchange.clock.advance(300)
    rig.run({}, rules())
    record = rig.process().journal.order(kept[0].client_order_id)
    assert record is not None
    assert record.state is OrderState.FILLED
    assert [e.body["code"] for e in rig.process().journal.events(kind="alert") if e.key == "MSFT"] == ["late_order"]


def test_a_duplicate_id_means_that_it_is_there(settled: MakeRig) -> None:
    def twice(real: Any, order: Order) -> SendResult:
        real(order)
        result: SendResult = real(order)
        assert result.reason == "duplicate_id"
        return result

    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only("MSFT", twice)})
    assert end_of(result, "MSFT").state is OrderState.FILLED
    laws.check_laws(rig.url, rig.journal_file)


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
    (told,) = rig.process().journal.events(kind="alert")
    assert (told.key, told.body["level"]) == ("another_program", "action")
    assert str(told.body["text"]).startswith("another program is trading this account under our prefix: the broker has")


def test_as_long_as_nobody_answers_it_stays_unknown(settled: MakeRig) -> None:
    blind = {"submit": only("MSFT", lost_after), "orders": unreadable, "find_order": unreadable}

    def after_posting(real: Any, after: Any) -> Any:
        return unreadable() if rig.posts else real(after)

    rig = settled()
    result = rig.run({"MSFT": 1.0}, rules(), faults={**blind, "orders": after_posting})
    assert [e.state for e in result.ends.values()] == [OrderState.UNKNOWN]
    laws.check_laws(rig.url, rig.journal_file, books_match=False)
    found = rig.run({"MSFT": 1.0}, rules())
    assert found.outcome is CycleOutcome.HOLDING
    assert [f.kind for f in found.findings] == ["late_fill"]
    laws.check_laws(rig.url, rig.journal_file)


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
    laws.check_laws(rig.url, rig.journal_file)


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
    assert [*record_laws.outcomes_are_the_brokers(laws.evidence_of(rig.url, rig.journal_file))] == []


def test_a_phase_does_not_wait_long_for_an_unknown_order(settled: MakeRig) -> None:
    """The other reduction has ended, so the increases go out; what the lost one would have brought is not spent."""
    rig = settled()
    process = rig.process(rules=rules())
    process.broker.script["submit"] = only("KO", lost_before)
    result = rig.cycle(process, NEXT, rules())
    assert end_of(result, "KO").state is OrderState.UNKNOWN
    assert {verdict(result, s) for s in ("AAPL", "MSFT", "JNJ", "XOM")} == {Outcome.FILLED}
    assert sum(process.clock.waits) < 10 < rules().execution.phase_timeout_seconds
    laws.check_laws(rig.url, rig.journal_file)


def test_who_is_found_by_id_alone_is_waited_for_and_cancelled(settled: MakeRig) -> None:
    """The list shows it only when it has ended: no increase leaves before."""
    rig = settled(fill_latency_seconds=50.0)
    quick = rules(execution__phase_timeout_seconds=5, execution__cancel_timeout_seconds=100)

    def without(real: Any, after: Any) -> Any:
        return tuple(o for o in real(after) if o.symbol != "KO" or o.state.is_final)

    result = rig.run({"KO": 0.0, "MSFT": 1.0}, quick, faults={"submit": only("KO", lost_after), "orders": without})
    assert end_of(result, "KO").state in (OrderState.CANCELED, OrderState.FILLED)
    assert ("DELETE", f"/v2/orders/{broker_id(rig, end_of(result, 'KO'))}") in rig.requests()
    laws.check_laws(rig.url, rig.journal_file)


def test_what_an_unknown_purchase_may_cost_is_not_spent() -> None:
    order = Order(
        "rb-1", "reduce", "KO", "buy", Decimal(10), Decimal(700), "market", None, "day", "buy_to_close", Decimal(70),
        Decimal(0), 0.1, NOTHING,
    )  # fmt: skip
    sold = order._replace(client_order_id="rb-2", side="sell", position_intent="sell_to_close")
    ends = {name: OrderEnd(name, OrderState.UNKNOWN, Decimal(4), None) for name in ("rb-1", "rb-2")}
    assert may_cost([order, sold], ends) == 6 * 70
    ends["rb-1"] = ends["rb-1"]._replace(state=OrderState.CANCELED)
    assert may_cost([order, sold], ends) == 0


def test_a_refusal_of_an_order_that_was_booked_all_the_same(settled: MakeRig) -> None:
    """The line delivered it twice, and the answer to the second attempt reached us: one look-up finds the first."""

    def refused(real: Any, order: Order) -> SendResult:
        real(order)
        return SendResult("refused", None, "buying_power", "insufficient buying power")

    rig = settled()
    result = rig.run(NEXT, rules(), faults={"submit": only("KO", refused)})
    assert end_of(result, "KO").state is OrderState.FILLED
    sent = {name for name, end in result.ends.items() if end.state is not OrderState.NOT_SENT}
    assert sent == {end_of(result, "KO").client_order_id}
    (told,) = [e for e in rig.process().journal.events(kind="alert") if e.key == "another_program"]
    assert "was at the broker before our post of it" in str(told.body["text"])
    laws.check_laws(rig.url, rig.journal_file)
    assert rig.run(NEXT, rules()).because == "4 of 4 orders filled", "it was the line: the next cycle goes on"


def test_a_refusal_costs_one_look_up_and_stands(settled: MakeRig) -> None:
    def refused(real: Any, order: Order) -> SendResult:
        return SendResult("refused", None, "wash_trade", "potential wash trade detected")

    rig = settled()
    process = rig.process(rules=rules())
    process.broker.script["submit"] = only("KO", refused)
    result = rig.cycle(process, NEXT, rules())
    assert end_of(result, "KO").state is OrderState.REFUSED
    assert process.broker.calls.count("find_order") == 1
    assert {verdict(result, s) for s in ("AAPL", "MSFT", "JNJ", "XOM")} == {Outcome.FILLED}
    process.broker.script["submit"] = only("KO", refused)
    process.broker.script["find_order"] = unreadable
    rig.exchange.clock.advance(300)
    assert end_of(rig.cycle(process, NEXT, rules()), "KO").state is OrderState.REFUSED, "no answer contradicts nothing"


def test_each_refusal_by_the_gate_is_told_once_a_day(settled: MakeRig) -> None:
    own = rules(gate__max_order_quantity="5")
    rig = settled()
    for _ in range(2):
        result = rig.run(NEXT, own)
        assert {verdict(result, s) for s in ("MSFT", "JNJ", "XOM")} == {Outcome.NOT_SENT}
    rows = [(e.key, e.body["level"], e.body["code"]) for e in rig.process().journal.events(kind="alert")]
    assert sorted(rows) == [(s, "warning", "order_quantity") for s in ("JNJ", "MSFT", "XOM")]
    rig.exchange.clock.advance(3 * 24 * 3600)
    rig.run(NEXT, own)
    assert len(rig.process().journal.events(kind="alert")) == 6, "and again on another day"


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.OPEN])
def test_what_arrives_between_the_look_up_and_the_reading_freezes_its_symbol(state: OrderState) -> None:
    """The recovery did not find it, and the reading lists it as working: nothing is sent against it in this cycle."""
    at, two = datetime(2026, 11, 20, 15, 35, tzinfo=UTC), Decimal(2)
    record = OrderRecord(
        "rb-1", "2026-11-20T15:30Z", "paper-1", "reduce", "AAPL", "sell", two, "{}", "", state, Decimal(0), None, None,
        "timeout", "", at, at,
    )  # fmt: skip
    listed = BrokerOrder(
        "b-1", "rb-1", "AAPL", "us_equity", "sell", "market", two, None, None, Decimal(0), None, "new", OrderState.OPEN,
        at, None,
    )  # fmt: skip
    (found,) = open_orders([listed], [record], {})
    assert (found.client_order_id, found.remaining, found.unknown) == ("rb-1", -two, state is OrderState.UNKNOWN)
