"""The state graph as a law, and the orders that the journal folds from its events."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_kit import WRITER, at, intent, start, told

from rebalancer.core.errors import JournalBroken
from rebalancer.core.facts import Day
from rebalancer.core.outcomes import OrderState
from rebalancer.core.values import ZERO
from rebalancer.journal import Journal, OrderRecord
from rebalancer.journal.orders import Change, changed
from rebalancer.journal.place import Place

S = OrderState
STATES = list(OrderState)
SENDABLE = intent("o", "c1")


def order(state: OrderState, *, filled: Decimal | None = None, broker_id: str | None = None) -> OrderRecord:
    qty = Decimal(3) if state is S.FILLED else ZERO
    return OrderRecord(
        "o", "c1", WRITER, "increase", "AAPL", "buy", Decimal(5), SENDABLE.body, SENDABLE.body_sha256, state,
        qty if filled is None else filled, None, broker_id, "", "", at(1), at(1),
    )  # fmt: skip


def accepted(before: OrderRecord, after: OrderState, *, filled: Decimal, broker_id: str | None) -> bool:
    try:
        changed(before, Change(at(2), after, filled, None, broker_id, "", ""))
    except JournalBroken:
        return False
    return True


def test_every_pair_of_states() -> None:
    """Without the broker's id of the order, these steps and no others."""
    steps = """
        INTENDED -> INTENDED OPEN FILLED CANCELED EXPIRED REPLACED REFUSED NOT_SENT WITHHELD UNKNOWN
        OPEN     -> OPEN FILLED CANCELED EXPIRED REPLACED REFUSED UNKNOWN
        UNKNOWN  -> OPEN FILLED CANCELED EXPIRED REPLACED NOT_SENT UNKNOWN
        FILLED -> FILLED
        CANCELED -> CANCELED
        EXPIRED -> EXPIRED
        REPLACED -> REPLACED
        REFUSED -> REFUSED
        NOT_SENT -> NOT_SENT
        WITHHELD -> WITHHELD
    """
    rows = dict(line.split("->") for line in steps.strip().splitlines())
    wanted = {(S(a.strip()), S(b)) for a, row in rows.items() for b in row.split()}
    found = {
        (a, b)
        for a, b in product(STATES, STATES)
        if accepted(order(a), b, filled=Decimal(3) if b is S.FILLED else ZERO, broker_id=None)
    }
    assert found == wanted


@pytest.mark.parametrize("state", [S.NOT_SENT, S.REFUSED])
def test_the_broker_can_show_what_we_had_given_up(state: OrderState) -> None:
    wanted = {S.OPEN, S.CANCELED, S.EXPIRED, S.REPLACED}
    assert {s for s in STATES if accepted(order(state), s, filled=ZERO, broker_id="b")} == wanted
    assert accepted(order(state), S.FILLED, filled=Decimal(3), broker_id="b")
    assert not accepted(order(state, broker_id="b"), S.OPEN, filled=ZERO, broker_id="b")


def test_only_a_look_up_turns_unknown_into_refused() -> None:
    assert not accepted(order(S.UNKNOWN), S.REFUSED, filled=ZERO, broker_id=None)
    assert accepted(order(S.UNKNOWN), S.REFUSED, filled=ZERO, broker_id="b")
    assert accepted(order(S.UNKNOWN, broker_id="b"), S.REFUSED, filled=ZERO, broker_id=None)


def test_fills_and_ids_only_grow() -> None:
    half = order(S.OPEN, filled=Decimal(2), broker_id="b")
    assert not accepted(half, S.OPEN, filled=Decimal(1), broker_id="b")
    assert not accepted(half, S.OPEN, filled=Decimal(2), broker_id="other")
    assert not accepted(half, S.REFUSED, filled=Decimal(2), broker_id="b")
    assert not accepted(order(S.OPEN), S.FILLED, filled=ZERO, broker_id="b")
    assert not accepted(order(S.FILLED, broker_id="b"), S.FILLED, filled=Decimal(4), broker_id="b")


CHANGES = st.builds(
    Change,
    at=st.integers(2, 90).map(at),
    state=st.sampled_from(STATES),
    filled_qty=st.integers(0, 5).map(Decimal),
    filled_avg_price=st.none() | st.decimals(1, 999, places=2),
    broker_id=st.sampled_from([None, "b-1", "b-1", "b-2"]),
    reason=st.sampled_from(["", "timeout", "buying_power"]),
    message=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal.open(tmp_path_factory.mktemp("orders") / "journal.sqlite") as journal:
        journal.begin_cycle(start("c1"))
        yield journal


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(CHANGES, max_size=8))
def test_the_journal_tells_the_latest_state_and_obeys_the_graph(shared: Journal, changes: list[Change]) -> None:
    """Whatever is told: what it accepts is folded exactly, what it refuses leaves no trace, laws 4.6 hold."""
    name = f"o{len(shared.orders_of('c1'))}"
    shared.record_intents(WRITER, [intent(name, "c1")])
    for change in changes:
        before = shared.order(name)
        assert before is not None
        try:
            wanted = changed(before, change)
        except JournalBroken:
            wanted = None
        try:
            shared.record_order(WRITER, name, *change)
        except JournalBroken:
            assert wanted is None
            assert shared.order(name) == before
            continue
        after = shared.order(name)
        assert after == wanted
        assert after is not None
        assert after.filled_qty >= before.filled_qty
        if before.state.is_final and after != before:
            assert before.broker_id is None
            assert after.broker_id is not None
    latest = shared.order(name)
    assert latest is not None
    assert (latest in shared.unresolved_orders(WRITER)) == (not latest.state.is_final)


def test_the_shared_journal_is_still_whole(shared: Journal) -> None:
    assert shared.verify() > 0
    shared.close()


def test_intents_are_written_all_or_none(journal: Journal) -> None:
    journal.begin_cycle(start("c1"))
    forged = intent("o2", "c1")._replace(body="{}")
    with pytest.raises(JournalBroken, match="o2: the hash of its body does not match the body"):
        journal.record_intents(WRITER, [intent("o1", "c1"), forged])
    assert journal.orders_of("c1") == ()


def test_one_id_never_means_two_orders(journal: Journal) -> None:
    for account in (WRITER, "beta"):
        for cycle in ("c1", "c2"):
            journal.begin_cycle(start(cycle, account=account))
    journal.record_intents(WRITER, [intent("o1", "c1")])
    journal.record_intents(WRITER, [intent("o1", "c1", when=7)])  # again, identical, not final: nothing new
    assert journal.orders_of("c1", WRITER)[0].intended_at == at(1)
    for other in (intent("o1", "c1", qty="6"), intent("o1", "c2"), intent("o1", "c1")._replace(side="sell")):
        with pytest.raises(JournalBroken, match="o1: this id was used before for another order"):
            journal.record_intents(WRITER, [other])
    with pytest.raises(JournalBroken, match="o1: this id belongs to the account alpha"):
        journal.record_intents("beta", [intent("o1", "c1")])
    told(journal, "o1", OrderState.NOT_SENT)
    with pytest.raises(JournalBroken, match="o1: has ended as NOT_SENT; its id cannot be used again"):
        journal.record_intents(WRITER, [intent("o1", "c1")])
    with pytest.raises(JournalBroken, match="the account beta never intended it"):
        told(journal, "o1", OrderState.OPEN, account="beta")


def test_a_late_order_is_unresolved_again(journal: Journal) -> None:
    journal.begin_cycle(start("c1"))
    journal.record_intents(WRITER, [intent("o1", "c1")])
    told(journal, "o1", OrderState.UNKNOWN)
    told(journal, "o1", OrderState.NOT_SENT)
    assert journal.unresolved_orders(WRITER) == ()
    told(journal, "o1", OrderState.OPEN, "2", broker_id="b1")
    assert [o.filled_qty for o in journal.unresolved_orders(WRITER)] == [Decimal(2)]
    assert [event.key for event in journal.events(kind="order_reopened")] == ["o1"]
    told(journal, "o1", OrderState.FILLED, "5")
    assert journal.unresolved_orders(WRITER) == ()


def test_attempts_are_counted_over_restarts(place: Place) -> None:
    endings = {
        "sent": S.FILLED,
        "refused": S.REFUSED,
        "unknown": S.UNKNOWN,
        "withheld": S.WITHHELD,
        "unsent": S.NOT_SENT,
        "yesterday": S.CANCELED,
    }
    with Journal.open(place) as journal:
        journal.begin_cycle(start("c1"))
    for name, state in endings.items():
        with Journal.open(place) as journal:
            symbol = "MSFT" if name == "refused" else "AAPL"
            when = -86400 if name == "yesterday" else 0.5
            journal.record_intents(WRITER, [intent(name, "c1", symbol=symbol, when=when)])
            told(journal, name, state, "5" if state is S.FILLED else "0")
    with Journal.open(place) as journal:
        journal.record_intents(WRITER, [intent("intended", "c1", when=0)])
        assert journal.orders_sent(WRITER, at(0)) == Day(4, {"AAPL": 3, "MSFT": 1})
        told(journal, "unknown", S.NOT_SENT)  # given up, but it was tried
        assert journal.orders_sent(WRITER, at(0)) == Day(4, {"AAPL": 3, "MSFT": 1})
        assert journal.orders_sent(WRITER, at(0.000001)) == Day(3, {"AAPL": 2, "MSFT": 1})
        assert journal.orders_sent("beta", at(0)) == Day()
